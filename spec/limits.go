package spec

// What a spec may cost. Matrix's whole client-server API is 122 files, 1 MB, 200 operations, 30 levels and 60,000 values; every limit is far
// above that, and low enough that the largest spec is read in seconds and in less than half a gigabyte.
const (
	maxFile       = 4 << 20 // bytes of one file
	maxTotal      = 16 << 20
	maxFiles      = 1000
	maxDepth      = 200       // of one value in another: deeper ones overflow the stacks of the libraries that walk them by recursion
	maxNodes      = 150_000   // values in one file, aliases written out
	maxResult     = 200_000   // values in the whole document
	maxWrittenOut = 5_000_000 // values, if every reference were written out: some libraries do that
	maxComponents = 2000      // references may run through all of them, and some libraries follow such a chain by recursion, and compare its links
	maxOperations = 5000      // twenty-five times Matrix's: the validator looks at every pair of paths of one shape
	maxProblems   = 100       // reported at once: nobody reads more
)
