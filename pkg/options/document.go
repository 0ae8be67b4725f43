package options

import (
	"fmt"
	"slices"
	"strings"
)

// preface is what all rows have in common.
const preface = `# Options

Every setting is a flag and an environment variable. This page is made from
` + "`pkg/options` by `make generate`" + `.

* A flag wins over its variable. An empty variable counts as unset.
* A flag that cannot be used ends the start with an error. So does a variable
  with "!" behind its name. Any other variable that cannot be used leaves the
  default, with a warning; one that must be true or false counts as false then,
  and of a list the items are used that can be.
* true is also 1, t, T, TRUE and True; false is also 0, f, F, FALSE and False.
* Items of a list are separated by commas; blanks around them and empty items
  are left out. A list's flag can be given more than once.
* Passwords and keys are shown in no message. Nor is what may be one in the wrong
  place: a private key, a text of several lines or of more than 256 bytes, a URL
  with a password. A private key where none belongs ends the start.
* Times have HAProxy's notation or Go's, as the column "accepts" shows.
`

// Document is docs/options.md.
func Document() string {
	var b strings.Builder
	b.WriteString(preface)
	var sections []string
	rows := Table()
	for _, r := range rows {
		if !slices.Contains(sections, r.Section) {
			sections = append(sections, r.Section)
		}
	}
	for _, section := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| flag | variable | default | accepts | what it does |\n|---|---|---|---|---|\n", section)
		for _, r := range rows {
			if r.Section != section {
				continue
			}
			flag, env := "`--"+r.Flag+"`", "`"+r.Env+"`"
			for _, alias := range r.Aliases {
				flag += ", `--" + alias + "`"
			}
			if r.AliasEnv != "" {
				env += ", `" + r.AliasEnv + "`"
			}
			if r.Strict {
				env += " !"
			}
			def := "`" + r.Default + "`"
			if r.Default == "" {
				def = ""
			}
			if r.Offline != "" {
				def += ", `" + r.Offline + "` with `--manifests`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", flag, env, cell(def), cell(r.Accepts), cell(r.Help))
		}
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
