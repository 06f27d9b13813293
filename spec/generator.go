package spec

func forGenerator(n *node) *node { return n }
