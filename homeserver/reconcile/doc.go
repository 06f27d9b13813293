// Package reconcile holds what Postern and Synapse know of users and devices against each other, and settles what
// differs: after one of them was restored from a backup, say, or after a change that Synapse has made and Postern has
// not heard of.
//
// # Laws
//
//   - What waits in the outbox is no difference: Synapse is told of it in a moment.
//   - Of a user whom one side lets in and the other does not, the stricter word counts: nobody gets in by a restored
//     backup.
//   - Of a device the word of Synapse counts, which has its encryption keys: a session on a device that Synapse was
//     told of and does not have is logged out softly. A device that only Synapse has is left alone, with its keys,
//     unless its end is asked for.
//
// Both sides may run meanwhile. Postern's is read first: what it says and has not to tell was true at Synapse by then.
//
//	differences, err := reconcile.Compare(ctx, queue, source)
//	err = reconcile.Settle(ctx, queue, differences, now)
package reconcile
