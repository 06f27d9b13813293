// Package delegation reads a Synapse's configuration files: what in them keeps Synapse from leaving authentication to
// another server, what has to be changed for it, and how to take that back. It changes text, and never the order or the
// comments of what it leaves.
//
// # Reading
//
// Files and folders are read as Synapse reads its --config-path (synapse/config/_base.py): of a folder the *.yaml files
// in the order of their names; a top-level key of a later file replaces the same key of an earlier one, whole. Values
// are understood as Python's YAML understands them, so `yes` and `on` are true and a string is true unless it is empty.
// What clashes with delegation is a table (settings.go), made from synapse/config/mas.py of release 1.163.2 and tried
// against that release in the tests.
//
// # Writing
//
// A change is made of lines. A line that goes becomes a comment that begins with "# taken out by postern:", a line that
// comes ends with "# put in by postern". So a person sees what was done, and taking it back needs nothing but the file,
// even if it was edited since: the first kind is uncommented and the second removed, which gives the bytes that were
// there before, their line endings too.
//
// After each change the text is parsed again and has to mean what was meant and nothing else; where it does not (an
// anchor that is used elsewhere, a key written twice, a merge at the top) the change is refused and a person is asked
// to make it. The file as it was is kept beside it, and the new one takes its place by a rename.
//
// # What it does not see
//
// Flags of Synapse's command line, a module's own mind (some refuse delegation, and say so at the start), and the
// configuration of a worker or a proxy.
//
// # Usage
//
//	c, err := delegation.Read([]string{"/etc/matrix-synapse/homeserver.yaml", "/etc/matrix-synapse/conf.d"})
//	for _, f := range c.Findings() { … }        // what is in the way, with file, line and fix
//	plan, err := c.Setup(delegation.Options{…}) // what changes; nothing is written yet
//	for _, change := range plan.Changes { fmt.Print(change.Diff()) }
//	steps, err := plan.Apply()                  // secrets, copies, files
//	changes, err := c.Restore()                 // the way back; write each with Change.Write
package delegation
