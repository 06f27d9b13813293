package impact

import (
	"cmp"
	"io"
	"net/url"
	"path"
	"strings"

	"postern/speclab/spec"
)

// The part of SARIF 2.1.0 that a report needs: the format in which code scanning takes what a tool has found. The
// libraries that write it have types for all of its 200 objects.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string       `json:"id"`
		ShortDescription sarifMessage `json:"shortDescription"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		ExitCode      int                 `json:"exitCode"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string       `json:"level"`
		Message sarifMessage `json:"message"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPlace `json:"physicalLocation"`
	}
	sarifPlace struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region struct {
			StartLine   int `json:"startLine"`
			StartColumn int `json:"startColumn,omitempty"`
		} `json:"region"`
	}
)

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// WriteSARIF writes the report in SARIF 2.1.0.
func (r *Report) WriteSARIF(w io.Writer) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "postern", Rules: []sarifRule{}}
	invocation := sarifInvocation{Successful: len(r.Problems) == 0, ExitCode: r.ExitStatus()}
	if invocation.Successful {
		text := strings.TrimPrefix(r.Reason+"; "+r.Summary(), "; ")
		invocation.Notifications = []sarifNotification{{"note", sarifMessage{text}}}
	}
	run.Invocations = []sarifInvocation{invocation}
	rules := make(map[string]int)
	for _, a := range r.annotations() {
		index, known := rules[a.rule]
		if !known {
			index = len(rules)
			rules[a.rule] = index
			about := capital(strings.ReplaceAll(a.rule, "-", " "))
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{a.rule, sarifMessage{about}})
		}
		run.Results = append(run.Results, a.sarif(index))
	}
	return writeJSON(w, sarifLog{sarifSchema, "2.1.0", []sarifRun{run}})
}

func (a annotation) sarif(rule int) sarifResult {
	return sarifResult{RuleID: a.rule, RuleIndex: rule, Level: strings.Replace(a.level, "notice", "note", 1),
		Message: sarifMessage{a.title + ": " + a.text}, Locations: []sarifLocation{{sarifPlaceOf(a.at)}}}
}

// sarifPlaceOf is a place in a file. Code scanning takes none without a line.
func sarifPlaceOf(at spec.Position) (place sarifPlace) {
	uri := url.URL{Path: at.File}
	if path.IsAbs(at.File) {
		uri.Scheme = "file"
	}
	place.Artifact.URI = uri.String()
	place.Region.StartLine, place.Region.StartColumn = cmp.Or(at.Line, 1), at.Column
	return place
}
