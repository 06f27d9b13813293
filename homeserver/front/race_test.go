//go:build race

package front

// raced says that the race detector is on: copying gigabytes takes minutes then.
const raced = true
