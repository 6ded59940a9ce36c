// Writes prometheus_cases.json: random label sets and rules, and what Prometheus' own
// model/relabel makes of them. Run by hand, inside a module that requires
// github.com/prometheus/prometheus v0.316.0:
//
//	go run prometheus_cases_gen.go 1500 > prometheus_cases.json
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
)

type rule struct {
	Action      string   `json:"action"`
	Sources     []string `json:"source_labels,omitempty"`
	Separator   string   `json:"separator"`
	Regex       string   `json:"regex"`
	Modulus     uint64   `json:"modulus,omitempty"`
	Target      string   `json:"target_label,omitempty"`
	Replacement string   `json:"replacement"`
}

// Valid tells for every rule whether Prometheus takes it; the chain runs only if all are valid.
type testCase struct {
	Legacy bool        `json:"legacy"`
	Before [][2]string `json:"before"`
	Rules  []rule      `json:"rules"`
	Valid  []bool      `json:"valid"`
	Keep   bool        `json:"keep"`
	After  [][2]string `json:"after"`
}

var (
	names = []string{"__name__", "a", "b", "c", "a_x", "b_x", "job", "__tmp_a", "é", "with space", "A1"}
	text  = []string{"a", "b", "x", "aa", "foo", "bar", "foo-bar", "a=b", "Ünï", "ǅ", "ß", "İ", "ſ", "l1\nl2", "", "10.0.0.1:9100", "A;B", "日本", "\u2028", "a|b", "x.y", "$1"}
	atoms = []string{"a", "b", "x", "foo", "bar", "-", "=", "\\.", ".", ".*", ".+", "(.*)", "(.+)", "(.+?)", "(a|b)", "(?:a|foo)", "[a-z]+", "[^-]*", "(?P<n>.*)", "(?<m>[[:alpha:]]+)", "(?i:FOO)", "\\d+", "\\w", "(\\pL)", "\\Q.(?<x\\E", "[(?<]", "|", "|", "^", "$", "é", "x?", "(b)?", "(?s-s:.)", "(?m:^)", "\\b", "\\x41", "\\C", "(", ")"}
	fixed = []string{"(.*)", "(.*)", "a|b", "(a|foo).*", "", "foo.*", "(foo|bar)", "a_(.*)", "._(x)", "(.+)-(.+)", ".*x", "(.*)x", "a.+|b", "a)|(b", "(a|b)|c", "__.+", "(?:a|b)"}
	parts = []string{"a", "b_", "$1", "$1", "${1}", "$2", "$0", "$$", "$", "${n}", "$m", "$1x", "${1", "$é", "${01}", "-", "_", "é", "1", "$100000000", "${2}", "x"}
	kinds = []relabel.Action{relabel.Replace, relabel.Replace, relabel.Replace, relabel.Keep, relabel.Drop, relabel.HashMod, relabel.LabelMap, relabel.LabelMap, relabel.LabelDrop, relabel.LabelKeep, relabel.Lowercase, relabel.Uppercase, relabel.KeepEqual, relabel.DropEqual}
)

type gen struct{ *rand.Rand }

func (g gen) pick(from []string) string { return from[g.IntN(len(from))] }

func (g gen) join(from []string, most int) string {
	var b strings.Builder
	for range g.IntN(most + 1) {
		b.WriteString(g.pick(from))
	}
	return b.String()
}

// rule makes one whose sources are mostly labels that are there.
func (g gen) rule(present []string) rule {
	def := relabel.DefaultRelabelConfig
	r := rule{Action: string(kinds[g.IntN(len(kinds))]), Separator: def.Separator, Regex: "(.*)", Replacement: def.Replacement}
	usual := g.IntN(12) > 0 // only the fields that the action knows
	action := relabel.Action(r.Action)
	namesOnly := action == relabel.LabelMap || action == relabel.LabelDrop || action == relabel.LabelKeep
	equal := action == relabel.KeepEqual || action == relabel.DropEqual
	if !namesOnly || !usual {
		for range g.IntN(4) {
			r.Sources = append(r.Sources, g.pick(append(names, present...)))
		}
	}
	if !equal && !namesOnly && g.IntN(3) == 0 || !usual {
		r.Separator = g.pick([]string{"", ";", "-", "::"})
	}
	if !equal || !usual {
		r.Regex = g.pick(fixed)
		if g.IntN(2) == 0 {
			r.Regex = g.join(atoms, 5)
		}
	}
	if action == relabel.HashMod || !usual {
		r.Modulus = g.Uint64() >> g.IntN(64)
	}
	if !namesOnly && action != relabel.Keep && action != relabel.Drop || !usual {
		r.Target = g.pick(names)
		if action == relabel.Replace && g.IntN(3) == 0 || !usual {
			r.Target = g.join(parts, 3)
		}
	}
	if action == relabel.Replace || action == relabel.LabelMap || !usual {
		r.Replacement = g.join(parts, 4)
	}
	return r
}

func (r rule) compile(scheme model.ValidationScheme) (*relabel.Config, bool) {
	c := relabel.DefaultRelabelConfig
	if r.Regex != "(.*)" {
		re, err := relabel.NewRegexp(r.Regex)
		if err != nil {
			return nil, false
		}
		c.Regex = re
	}
	c.Action, c.Separator, c.Modulus, c.TargetLabel, c.Replacement = relabel.Action(r.Action), r.Separator, r.Modulus, r.Target, r.Replacement
	for _, n := range r.Sources {
		c.SourceLabels = append(c.SourceLabels, model.LabelName(n))
	}
	return &c, c.Validate(scheme) == nil
}

func (g gen) testCase() testCase {
	t := testCase{Legacy: g.IntN(4) == 0, Before: [][2]string{}, After: [][2]string{}}
	scheme := model.UTF8Validation
	if t.Legacy {
		scheme = model.LegacyValidation
	}
	before := map[string]string{}
	var present []string
	for range 1 + g.IntN(6) {
		value := g.pick(text)
		if g.IntN(3) == 0 {
			value += g.pick(text)
		}
		if value != "" {
			before[g.pick(names)] = value
		}
	}
	base := labels.FromMap(before)
	base.Range(func(l labels.Label) {
		t.Before = append(t.Before, [2]string{l.Name, l.Value})
		present = append(present, l.Name, l.Name, l.Name, l.Name)
	})
	var configs []*relabel.Config
	all := true
	for range 1 + g.IntN(4) {
		r := g.rule(present)
		c, valid := r.compile(scheme)
		if !valid && g.IntN(4) > 0 {
			continue
		}
		t.Rules, t.Valid, configs = append(t.Rules, r), append(t.Valid, valid), append(configs, c)
		all = all && valid
	}
	if !all || len(configs) == 0 {
		return t
	}
	builder := labels.NewBuilder(base)
	t.Keep = relabel.ProcessBuilder(builder, configs...)
	if t.Keep {
		builder.Labels().Range(func(l labels.Label) { t.After = append(t.After, [2]string{l.Name, l.Value}) })
	}
	return t
}

func main() {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	seed := uint64(1)
	if len(os.Args) > 2 {
		seed, _ = strconv.ParseUint(os.Args[2], 10, 64)
	}
	g := gen{rand.New(rand.NewPCG(seed, 0))}
	fmt.Println("[")
	for i := 0; i < count; {
		t := g.testCase()
		if len(t.Rules) == 0 {
			continue
		}
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(t); err != nil {
			panic(err)
		}
		i++
		end := ","
		if i == count {
			end = ""
		}
		fmt.Println(strings.TrimRight(line.String(), "\n") + end)
	}
	fmt.Println("]")
}
