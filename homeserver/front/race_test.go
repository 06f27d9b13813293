//go:build race

package front

// raced says that the race detector is on, under which moving gigabytes takes minutes.
const raced = true
