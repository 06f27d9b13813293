package main

type synapseCmds struct {
	Doctor  synapseDoctor  `cmd:"" help:"Say what in Synapse's configuration speaks against moving in, and whether both sides work together."`
	Setup   synapseSetup   `cmd:"" help:"Show, or make, the change to Synapse's configuration that lets Postern have the accounts."`
	Restore synapseRestore `cmd:"" help:"Show, or make, the way back."`
}

// synapseFiles are Synapse's configuration, as its own --config-path has it.
type synapseFiles struct {
	Files []string `arg:"" name:"homeserver.yaml" help:"Synapse's configuration: files and folders, in the order in which Synapse is given them."`
}
