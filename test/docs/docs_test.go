package docs

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"router/pkg/options"
	"router/test/haproxies"
	"router/test/routertest"
)

// program is the router, which is there before a block makes it.
var program string

func TestMain(m *testing.M) {
	routertest.Main(m, &program, 1)
}

// pages are all pages, by their path in the project.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*.md", "examples/*.md"} {
		files, err := filepath.Glob(filepath.Join(haproxies.Root(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f) //nolint:gosec // our own page
			if err != nil {
				t.Fatal(err)
			}
			page, err := filepath.Rel(haproxies.Root(t), f)
			if err != nil {
				t.Fatal(err)
			}
			texts[page] = string(text)
		}
	}
	return texts
}

// allBlocks are the blocks of all pages in a language.
func allBlocks(t *testing.T, language string) []*block {
	t.Helper()
	var all []*block
	for page, text := range pages(t) {
		blocks, err := blocksOf(page, text)
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			if b.language == language {
				all = append(all, b)
			}
		}
	}
	if len(all) == 0 {
		t.Errorf("no page has a block of the language %s", language)
	}
	slices.SortFunc(all, func(a, b *block) int { return strings.Compare(a.name(), b.name()) })
	return all
}

// TestCommands runs the blocks of commands, each in a clean copy of the project
// and a network of its own, so that they may use any port.
func TestCommands(t *testing.T) {
	run := newRunner(t)
	for _, b := range allBlocks(t, "sh") {
		t.Run(b.name(), func(t *testing.T) {
			switch {
			case b.reason() != "":
				for _, problem := range mistakes(t, b.text) {
					t.Error(problem)
				}
				t.Logf("not run: %s\n%s", b.reason(), b.text)
			case b.mark == untilStopped:
				run.untilStopped(t, b.text)
			case b.mark != "":
				t.Errorf("what is %q?", b.mark)
			default:
				run.toItsEnd(t, b.text)
			}
		})
	}
}

func TestManifests(t *testing.T) {
	for _, b := range allBlocks(t, "yaml") {
		var v any
		if err := yaml.UnmarshalStrict([]byte(b.text), &v); err != nil {
			t.Errorf("%s: %v", b.name(), err)
		}
	}
}

var (
	// target is a word that may be one of make's.
	target = regexp.MustCompile(`^[a-z0-9.-]+$`)
	// assignment is a variable for one command.
	assignment = regexp.MustCompile(`^[A-Z_]+=`)
	// ours is the path of a file or directory of the project.
	ours = regexp.MustCompile(`^(\./)?(cmd|deploy|examples|hack|pkg|test)(/|$)`)
	// elsewhere are commands that need not be here.
	elsewhere = []string{"bin/router", "kubectl", "oc"}
)

// mistakes are the commands, flags, targets and files in a block that there are
// not.
func mistakes(t *testing.T, text string) []string {
	t.Helper()
	flags := map[string]bool{}
	for _, row := range options.Table() {
		for _, name := range append([]string{row.Flag}, row.Aliases...) {
			flags["--"+name] = true
		}
	}
	makefile, err := os.ReadFile(filepath.Join(haproxies.Root(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		for len(words) > 0 && assignment.MatchString(words[0]) {
			words = words[1:]
		}
		if len(words) == 0 {
			continue
		}
		if _, err := exec.LookPath(words[0]); err != nil && !slices.Contains(elsewhere, words[0]) {
			problems = append(problems, err.Error())
		}
		for _, word := range words[1:] {
			flag, _, _ := strings.Cut(word, "=")
			switch {
			case words[0] == "bin/router" && strings.HasPrefix(flag, "--") && !flags[flag]:
				problems = append(problems, "the router has no flag "+flag)
			case words[0] == "make" && target.MatchString(word) && !bytes.Contains(makefile, []byte("\n"+word+":")):
				problems = append(problems, "make has no target "+word)
			case ours.MatchString(word):
				if _, err := os.Stat(filepath.Join(haproxies.Root(t), strings.TrimSuffix(word, "..."))); err != nil {
					problems = append(problems, err.Error())
				}
			}
		}
	}
	return problems
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]int{
		"make build\nA=b bin/router --manifests examples --http-port=1\ngo test ./pkg/... ./test/walls -run X": 0,
		"bin/router --manifest examples":                    1,
		"make biuld HTTP_PORT=1":                            1,
		"kubectl apply -f deploy/no.yaml -f deploy/rb.yaml": 2,
		"frobnicate":            1,
		"go test ./pkg/nothing": 1,
	} {
		if got := mistakes(t, text); len(got) != want {
			t.Errorf("%s has the mistakes %q, want %d", text, got, want)
		}
	}
}

func TestBlocksOf(t *testing.T) {
	blocks, err := blocksOf("p", "a\n\n<!-- not run: x y -->\n```sh\na\n  b\n```\n\n```yaml\nc\n```\n")
	if err != nil || len(blocks) != 2 {
		t.Fatalf("%v, %v", blocks, err)
	}
	if want := (block{page: "p", line: 4, language: "sh", mark: "not run: x y", text: "a\n  b\n"}); *blocks[0] != want || blocks[0].reason() != "x y" {
		t.Errorf("%+v, want %+v", *blocks[0], want)
	}
	if want := (block{page: "p", line: 9, language: "yaml", text: "c\n"}); *blocks[1] != want {
		t.Errorf("%+v, want %+v", *blocks[1], want)
	}
	for _, text := range []string{"a\n\n    b\n", "- a\n  ```sh\n  b\n  ```\n", "```\na\n```\n", "```sh\na\n"} {
		if _, err := blocksOf("p", text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// runner runs blocks in a copy of the project.
type runner struct {
	dir string
	env []string
}

// compiler is the go command that blocks get. It builds what is in the project,
// in the way in which the tests' router is built: so that is up to date, while a
// copy would be compiled anew.
const compiler = `#!/bin/bash
args=()
while [ $# -gt 0 ]; do
  case $1 in
  -trimpath) args+=(-race "-ldflags=-s -w") ;;
  -ldflags) shift ;;
  bin/) args+=("$PWD/bin/") ;;
  *) args+=("$1") ;;
  esac
  shift
done
cd "$PROJECT"
exec go "${args[@]}"
`

// newRunner copies what git knows of, or would.
func newRunner(t *testing.T) *runner {
	t.Helper()
	r := &runner{dir: t.TempDir()}
	home := t.TempDir()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = haproxies.Root(t)
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		from, to := filepath.Join(list.Dir, name), filepath.Join(r.dir, name)
		info, err := os.Stat(from)
		if err != nil || info.IsDir() {
			continue // It has been removed, or is a link to what is built.
		}
		copyFile(t, from, to, info.Mode())
	}
	// It is a copy, since a block may make another one in its place.
	copyFile(t, program, filepath.Join(r.dir, "bin", "router"), 0o700)
	goCommand := filepath.Join(home, "go-command")
	if err := os.WriteFile(goCommand, []byte(compiler), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	r.env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GO=" + goCommand, "PROJECT=" + haproxies.Root(t), "GOPROXY=off"}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOTOOLCHAIN"} {
		value, err := exec.Command("go", "env", name).Output() //nolint:gosec // one of the names above
		if err != nil {
			t.Fatal(err)
		}
		r.env = append(r.env, name+"="+strings.TrimSpace(string(value)))
	}
	return r
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	text, err := os.ReadFile(from) //nolint:gosec // our own file
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o750)
	}
	if err == nil {
		err = os.WriteFile(to, text, mode) //nolint:gosec // named by git, or by the test
	}
	if err != nil {
		t.Fatal(err)
	}
}

// limit bounds a block: it may compile.
const limit = 5 * time.Minute

// bash runs a script, with the block as its first argument.
func (r *runner) bash(t *testing.T, script, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	said := &routertest.Log{}
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -eu; ip link set lo up; "+script, "bash", text) //nolint:gosec // a page of ours
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, r.env, said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setpgid: true}
	// What the block has started ends with it.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = routertest.Patience
	if err := cmd.Run(); err != nil {
		t.Errorf("%v:\n%s\n%s", err, text, said)
	}
}

func (r *runner) toItsEnd(t *testing.T, text string) {
	t.Helper()
	r.bash(t, `exec bash -eu -c "$1"`, text)
}

// port is where a router says whether it is ready.
var port = regexp.MustCompile(`STATS_PORT=(\d+)`)

func (r *runner) untilStopped(t *testing.T, text string) {
	t.Helper()
	at := "1936"
	if m := port.FindStringSubmatch(text); m != nil {
		at = m[1]
	}
	r.bash(t, `set -m
bash -eu -c "$1" &
until curl -fs http://127.0.0.1:`+at+`/healthz/ready; do
  kill -0 %1
  sleep 0.1
done
kill -- -$!
wait || true`, text)
}

var (
	// link is a link to a page or file, and a heading in it.
	link = regexp.MustCompile(`\]\(([^):#]*)(?:#([^)]*))?\)`)
	// heading is a line that a link can lead to.
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	// file is a path of the project, or a pattern of paths. What a router writes
	// has a directory "conf" as well.
	file = regexp.MustCompile("`((?:cmd|deploy|docs|examples|hack|images|pkg|test)/[^` ]+|conf/[^` ]+\\.tmpl)`")
	// function is a name, and the file that has it.
	function = regexp.MustCompile("`(?:[A-Za-z]+\\.)?([A-Za-z]+)`\\s+\\(`([^`]+\\.go)`\\)")
)

// anchor is what a link calls a heading.
func anchor(heading string) string {
	return strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// TestWhatPagesNameIsThere follows links, and looks for files and functions.
func TestWhatPagesNameIsThere(t *testing.T) {
	all := pages(t)
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := filepath.Join(filepath.Dir(page), m[1])
			if m[1] == "" {
				target = page
			}
			if _, err := os.Stat(filepath.Join(haproxies.Root(t), target)); err != nil {
				t.Errorf("%s: %v", page, err)
			}
			found := slices.ContainsFunc(heading.FindAllStringSubmatch(all[target], -1), func(h []string) bool { return anchor(h[1]) == m[2] })
			if m[2] != "" && !found {
				t.Errorf("%s: %s has no heading %s", page, target, m[2])
			}
		}
		for _, m := range file.FindAllStringSubmatch(text, -1) {
			if found, err := filepath.Glob(filepath.Join(haproxies.Root(t), m[1])); err != nil || len(found) == 0 {
				t.Errorf("%s: there is no %s (%v)", page, m[1], err)
			}
		}
		for _, m := range function.FindAllStringSubmatch(text, -1) {
			code, err := os.ReadFile(filepath.Join(haproxies.Root(t), m[2]))
			if err != nil || !regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|var )`+m[1]+`\b`).Match(code) {
				t.Errorf("%s: %s has no %s (%v)", page, m[2], m[1], err)
			}
		}
	}
}
