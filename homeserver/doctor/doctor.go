package doctor

import (
	"context"
	"fmt"
	"time"

	"postern/db"
	"postern/homeserver/delegation"
	"postern/tokens"
)

// Level is how bad a finding is.
type Level int

// The levels.
const (
	OK Level = iota
	Warning
	Problem
)

// Finding is one thing that was looked at.
type Finding struct {
	Level Level
	What  string
	Fix   string // what to do about it; empty if it is OK
}

// Section is the findings about one subject.
type Section struct {
	Title    string
	Findings []Finding
}

// Config says what to examine.
type Config struct {
	Synapse *delegation.Config

	ServerName string // Postern's; empty: not known yet
	Listen     string // host and port where Postern listens for clients, or will
	Homeserver string // the URL at which Postern reaches Synapse; empty: as Synapse's listener says
	SecretFile string // of the secret that Postern is started with; empty: Synapse's secret_path

	DB       *db.DB            // Postern's; nil: there is none
	Master   *tokens.MasterKey // Postern's; nil: it is not here
	Database string            // its name in findings
	MovedOut error             // why its accounts are not compared with Synapse's; nil: they are

	Now func() time.Time
}

// examination is an Examine under way.
type examination struct {
	Config
	sections  []Section
	delegated bool   // Synapse's configuration leaves the accounts to Postern
	secret    string // that Synapse will have; empty: none can be read

	synapseObeys, posternAnswers bool // with the secret
}

// Examine looks at everything, and changes nothing.
func Examine(ctx context.Context, c Config) []Section {
	x := &examination{Config: c, delegated: c.Synapse.Delegation().Enabled}
	x.section("settings")
	x.names()
	x.release(ctx)
	x.settings()
	x.secrets()
	x.section("listeners")
	x.listeners(ctx)
	x.section("both sides")
	x.synapseSide(ctx)
	x.posternSide(ctx)
	x.services(ctx)
	x.realToken(ctx)
	x.section("accounts")
	x.accounts(ctx)
	x.standing(ctx)
	return x.sections
}

// section begins one.
func (x *examination) section(title string) { x.sections = append(x.sections, Section{Title: title}) }

func (x *examination) add(f Finding) {
	current := &x.sections[len(x.sections)-1]
	current.Findings = append(current.Findings, f)
}

func (x *examination) ok(format string, args ...any) {
	x.add(Finding{Level: OK, What: fmt.Sprintf(format, args...)})
}

func (x *examination) warn(what, fix string)    { x.add(Finding{Warning, what, fix}) }
func (x *examination) problem(what, fix string) { x.add(Finding{Problem, what, fix}) }

// problemOnceDelegated is a warning until Postern has the accounts.
func (x *examination) problemOnceDelegated(what, fix string) {
	if x.delegated {
		x.problem(what, fix)
	} else {
		x.warn(what, fix)
	}
}

// names compares the server's name on both sides.
func (x *examination) names() {
	switch name := x.Synapse.ServerName(); {
	case name == "":
		x.problem("there is no server_name in these files",
			"name all files and folders that Synapse is started with; in Debian /etc/matrix-synapse/conf.d after "+
				"homeserver.yaml")
	case x.ServerName == "":
		x.ok("server_name %s; Postern is to be started with --server-name %s", name, name)
	case x.ServerName != name:
		x.problem(fmt.Sprintf("Synapse's server_name is %s and Postern's is %s", name, x.ServerName),
			"name Postern's database with --db, and its name with --server-name")
	default:
		x.ok("server_name %s on both sides", name)
	}
}

// settings looks for what is in the way. What setup takes away is no problem before it has run.
func (x *examination) settings() {
	for _, text := range x.Synapse.Ignored {
		x.warn(text, "none, if you know it: Synapse passes over it too")
	}
	clashes := 0
	for _, f := range x.Synapse.Findings() {
		what := f.Where() + f.What
		if f.Level == delegation.Problem && !(f.Setup && !x.delegated) {
			x.problem(what, f.Fix)
			clashes++
		} else {
			x.warn(what, f.Fix)
		}
	}
	d := x.Synapse.Delegation()
	switch {
	case x.delegated && clashes == 0:
		x.ok("%s:%d: Synapse leaves the accounts to %s", d.File, d.Line, d.Endpoint)
	case !x.delegated:
		x.rehearsal()
	}
}

// rehearsal plans what setup would change, and changes nothing.
func (x *examination) rehearsal() {
	_, err := x.Synapse.Setup(delegation.Options{Endpoint: "http://127.0.0.1:8009/", Now: x.Now()})
	if err != nil {
		x.problem("`postern synapse setup` refuses: "+err.Error(),
			"write the settings that it names as YAML on lines of their own, or make its change by hand")
		return
	}
	x.ok("Synapse has its accounts itself; `postern synapse setup` changes that")
}
