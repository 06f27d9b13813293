package impact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"

	"postern/speclab/spec"
)

// Severity says what a change does to clients that were written for the contract.
type Severity string

// The severities.
const (
	Breaks   Severity = "breaks clients"
	MayBreak Severity = "may break clients"
	Harmless Severity = "does not break clients"
)

// Change is a difference between the contract and the spec.
type Change struct {
	Severity   Severity      `json:"severity"`
	ID         string        `json:"id"` // oasdiff's name for this kind of change
	Text       string        `json:"text"`
	Operations []string      `json:"operations"` // that the change is seen in, as "POST /_matrix/client/v3/login"
	Place      spec.Position `json:"place"`

	part, was pointer // in the API that is asked for, and in the contract
	at        []pointer
	told      told
}

// labels are kinds of changes that neither a client nor a handler is about.
var labels = regexp.MustCompile(`^(api-tag-|api-version-)`)

// allChecks are those of oasdiff: hundreds, which are made once.
var allChecks = sync.OnceValue(func() *checker.Config { return checker.NewConfig(checker.GetAllChecks()) })

// changes compares the API that is asked for with the contract.
func (r *revision) changes() ([]Change, error) {
	var now, was *flat
	var err, contractErr error
	var both sync.WaitGroup
	both.Go(func() { now, err = flatten(r.document) })
	both.Go(func() { was, contractErr = flatten(r.contract.document) })
	both.Wait()
	if err != nil {
		return nil, spec.Problems{{Position: r.edited.position(), What: err.Error()}}
	}
	if contractErr != nil {
		return nil, contractErr
	}
	config := diff.NewConfig()
	differs, sources, err := diff.GetWithOperationsSourcesMap(config, &load.SpecInfo{Spec: was.api},
		&load.SpecInfo{Spec: now.api})
	if err != nil {
		return nil, err
	}
	var all []Change
	words := checker.NewDefaultLocalizer()
	for _, c := range checker.CheckBackwardCompatibilityUntilLevel(allChecks(), differs, sources, checker.INFO) {
		if !labels.MatchString(c.GetId()) {
			all = append(all, r.change(c, words, now, was))
		}
	}
	all = withUntold(all, divergences(now, was), func(d divergence) Change { return r.untold(d, now, was) })
	all = together(all)
	slices.SortStableFunc(all, func(a, b Change) int { return order(a.Severity) - order(b.Severity) })
	return all, nil
}

// together makes one change of those that several operations have by a schema that they share.
func together(changes []Change) (all []Change) {
	known := make(map[string]int)
	for _, one := range changes {
		key := strings.Join([]string{one.ID, one.Text, one.part.String(), one.was.String()}, "\x01")
		if i, found := known[key]; found {
			all[i].Operations = append(all[i].Operations, one.Operations...)
			all[i].at = append(all[i].at, one.at...)
			continue
		}
		known[key] = len(all)
		all = append(all, one)
	}
	for i := range all {
		slices.Sort(all[i].Operations)
		all[i].Operations = slices.Compact(all[i].Operations)
	}
	return all
}

// order puts the worst first.
func order(s Severity) int { return slices.Index([]Severity{Breaks, MayBreak, Harmless}, s) }

func (r *revision) change(c checker.Change, words checker.Localizer, now, was *flat) Change {
	one := Change{ID: c.GetId(), Text: c.GetUncolorizedText(words), Severity: Harmless}
	switch c.GetLevel() {
	case checker.ERR:
		one.Severity = Breaks
	case checker.WARN:
		one.Severity = MayBreak
	}
	if c.GetPath() != "" {
		one.Operations = []string{strings.TrimSpace(strings.ToUpper(c.GetOperation()) + " " + c.GetPath())}
		one.at = []pointer{{"paths", c.GetPath(), strings.ToLower(c.GetOperation())}}
		one.part = one.at[0]
	}
	one.told = toldOf(c, now, was)
	one.was = was.origin(one.told.was).whole()
	if one.told.now != nil {
		one.part = now.origin(one.told.now).whole()
	} else if len(one.was) > 0 && !r.has(one.was) {
		one.part = one.was
	} else if moved := r.sameParameter(one.was); moved != nil {
		one.part = moved
	} else if code := ofResponse.FindString(fmt.Sprint(append(c.GetArgs(), "")[0])); code != "" && len(one.at) > 0 &&
		strings.Contains(c.GetId(), "status") {
		one.part = one.at[0].with("responses", code)
	}
	return r.placed(one)
}

// placed gives a change the place of its part, or of what is there instead.
func (r *revision) placed(one Change) Change {
	if len(one.part) > 0 && !r.has(one.part) {
		one.part, _ = r.replacement(one.part)
	}
	one.Place = r.position(one.part)
	return one
}

// sameParameter is the parameter that has the name of one of the contract.
func (r *revision) sameParameter(was pointer) pointer {
	if len(was) < 2 || was[len(was)-2] != "parameters" {
		return nil
	}
	name, _ := r.contract.object(r.contract.resolve(was))["name"].(string)
	return r.children(was.parent())[name]
}
