package spec

// What a spec may cost. Matrix's whole client-server API, 122 files together, is 1 MB and makes 200 operations, 140
// components and 12,000 values; Kubernetes' and Stripe's, the largest of docs/specs-tried.md, are 5 MB. Every limit is
// above that, and low enough that the largest spec is loaded in seconds: 4,900 operations with bodies of seven fields
// took 8 s and 554 MB on a busy machine. To compile what is generated of it takes gigabytes, so that has a bound of its
// own in package impact.
const (
	maxFile  = 8 << 20  // bytes of one file: YAML takes up to a hundred times that in memory
	maxTotal = 16 << 20 // bytes of all files
	maxFiles = 1000     // each costs system calls, and a place to be watched
	maxDepth = 200      // of one value in another: the libraries walk them by recursion
	// values in one file, aliases written out: a value costs 1 to 2 KB on its way through three forms
	maxNodes      = 150_000
	maxText       = 16 << 20  // bytes of text in them, and in the whole document: one alias may stand for megabytes
	maxKeys       = 5000      // of one mapping: the YAML library compares each with each
	maxMembers    = 1000      // of one list of parameters or schemas, for the same reason
	maxPath       = 2000      // characters of a path
	maxResult     = 200_000   // values in the whole document
	maxWrittenOut = 5_000_000 // values, if every reference were written out: some libraries do that
	// some libraries follow a chain of references by recursion, and compare each link with all before it
	maxComponents = 2000
	maxOperations = 5000 // twenty-five times Matrix's
	// of schemas by values while examples are checked: GitHub's API takes 33,000, and one value can meet millions of
	// schemas through allOf and the like
	maxVisits = 300_000
	maxSteps  = 300_000_000 // of patterns meanwhile: instructions by characters, some seconds
	// in which components of one name are compared: as deep as they may differ and be told apart from the same
	maxRounds   = 32
	maxProblems = 100 // reported at once: nobody reads more
)
