package cli

import (
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"postern/handlers"
)

// warn logs what an operator has hardly meant.
func (cmd *serveCmd) warn(w world, c *common, config handlers.Config, log *slog.Logger) {
	for _, name := range w.strange {
		log.Warn(name)
	}
	if config.Registration == handlers.RegistrationOpen && config.Terms.URL == "" {
		log.Warn("whoever reaches this server can make accounts, by program too; --registration token asks for an " +
			"invitation, --terms-url for a click")
	}
	if _, err := cmd.servesOAuth(); err != nil {
		log.Warn(err.Error() + "; until then it is not served; --oauth off ends this warning")
	}
	if info, err := os.Stat(c.path()); err == nil && !c.onServer() && info.Mode().Perm()&0o007 != 0 {
		log.Warn("others on this machine can read the database, and with it names, addresses and password hashes; " +
			"run: chmod 600 " + shellWord(c.path()))
	}
}

// claim finds whether another server runs on the same file, and has others find this one until it ends.
func (cmd *serveCmd) claim(c *common, log *slog.Logger) claim {
	if c.onServer() {
		return claim{}
	}
	only := newClaim(c.path() + "-serving")
	if !only.alone && !cmd.Successor {
		log.Warn("another server runs on this database; rate limits count apart in each, and a restart of one does " +
			"not end the other; if that is not meant, stop one of them")
	}
	return only
}

// prefix begins the names of the variables that are flags.
const prefix = "POSTERN_"

// fromKubernetes are variables that a service of the name postern puts into each container beside it.
var fromKubernetes = regexp.MustCompile(`^POSTERN_(SERVICE|PORT)(_|$)`)

// strangeVariables names the variables of an environment that look like flags and are none, each with the nearest one
// that is.
func strangeVariables(model *kong.Application, environ []string) (all []string) {
	known := []string{"POSTERN_MASTER_KEY"}
	_ = kong.Visit(model, func(node kong.Visitable, next kong.Next) error {
		if flag, is := node.(*kong.Flag); is {
			known = append(known, flag.Envs...)
		}
		return next(nil)
	})
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, prefix) && !slices.Contains(known, name) &&
			!fromKubernetes.MatchString(name) {
			nearest := slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
			all = append(all, "the environment has "+handlers.Printable(name)+
				", which is not known and does nothing; did you "+
				"mean "+nearest+"?")
		}
	}
	return all
}

// distance is how many letters have to be put in, left out or exchanged to make one word of another (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, corner+1, row[j]+1)
		}
	}
	return row[len(b)]
}
