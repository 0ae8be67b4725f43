package main

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

// try runs a command line that ends by itself.
func try(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	err = run(t.Context(), args, func(string) (string, bool) { return "", false }, &out, &errOut)
	if errOut.Len() > 0 {
		t.Errorf("%q: on standard error: %s", args, errOut.String())
	}
	return out.String(), err
}

func TestHelpIsGrouped(t *testing.T) {
	text, err := try(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	// The order is that of docs/options.md.
	at := 0
	for _, want := range []string{
		"Serves the routes of a cluster", "Usage:\n  router [flags]\n", "Examples:\n", "Commands:\n", "completion ", "version ",
		"Where routes come from:\n", "--manifests ", "[$ROUTER_MANIFESTS]", "The cluster:\n", "-n, --namespace ", "Listening:\n", "--http-port ", "(default 80)", "--ip-mode ", "v4, v6, v4v6.",
		"TLS:\n", "--default-certificate-path ", "--default-cert ", "Time-outs:\n", "Statistics, health and logs of the router:\n", "--metrics-type ", "-v, --v ", "Other flags:\n", "-h, --help",
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("%q is not there, or not in its place:\n%s", want, text)
		}
		at += i
	}
	for _, hidden := range []string{"--reload ", "without effect"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q is there", hidden)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > helpWidth+20 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--http-prot=1"}, "unknown flag: --http-prot; did you mean --http-port?"},
		{[]string{"--xyz"}, "unknown flag: --xyz; router --help lists all flags"},
		{[]string{"--http-port=x"}, `invalid argument "x" for "--http-port" flag: must be a whole number from 1 to 65535`},
		{[]string{"--http-port"}, "flag needs an argument: --http-port"},
		{[]string{"-x"}, "unknown shorthand flag: 'x' in -x"},
		{[]string{"verson"}, "unknown command: verson; did you mean version?"},
		{[]string{"elsewhere"}, "unknown command: elsewhere; router --help lists all"},
		{[]string{"--override-hostname"}, "--override-hostname and --override-domains need --hostname-template"},
	} {
		out, err := try(t, test.args...)
		if err == nil || err.Error() != test.want || out != "" {
			t.Errorf("%q: %v, want %s; on standard output %q", test.args, err, test.want, out)
		}
	}
}

func TestValuesAreCompleted(t *testing.T) {
	for word, want := range map[string]string{"--ip-mode=": "v4\nv6\nv4v6\n", "--metrics-type=": "haproxy\nnone\n", "--update-status=": "true\nfalse\n"} {
		var out, errOut bytes.Buffer
		err := run(t.Context(), []string{"__complete", word}, func(string) (string, bool) { return "", false }, &out, &errOut)
		if err != nil || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: %q, %v", word, out.String(), err)
		}
	}
	if out, err := try(t, "completion", "bash"); err != nil || !strings.Contains(out, "__start_router") {
		t.Errorf("no script for bash: %v", err)
	}
}

func TestTheVersion(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"--version=true", "--http-port=81"}} {
		out, err := try(t, args...)
		if err != nil || !strings.HasPrefix(out, "router\n\nmajorFromGit: ") || !strings.Contains(out, "\nbuildDate: ") {
			t.Errorf("%q: the version is %q, %v", args, out, err)
		}
	}
	noted := &debug.BuildInfo{Main: debug.Module{Version: "v4.21.3-rc.1+dirty"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2025-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	for _, test := range []struct {
		name string
		set  build
		info *debug.BuildInfo
		want string
	}{
		{"nothing is known", build{}, &debug.BuildInfo{},
			"majorFromGit: \nminorFromGit: \ncommitFromGit: \nversionFromGit: unknown\ngitTreeState: \nbuildDate: \n"},
		{"what the Go command notes", build{}, noted,
			"majorFromGit: 4\nminorFromGit: 21\ncommitFromGit: abc\nversionFromGit: v4.21.3-rc.1+dirty\ngitTreeState: dirty\nbuildDate: 2025-01-02T03:04:05Z\n"},
		{"what the linker was told", build{"5", "0+", "def", "v5.0.0-1-def", "clean", "now"}, noted,
			"majorFromGit: 5\nminorFromGit: 0+\ncommitFromGit: def\nversionFromGit: v5.0.0-1-def\ngitTreeState: clean\nbuildDate: now\n"},
	} {
		if got := test.set.completed(test.info).String(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestNoPasswordIsShownForSettingsThatDoNotStart starts a router that makes a
// password, and cannot run.
func TestNoPasswordIsShownForSettingsThatDoNotStart(t *testing.T) {
	var stdout, stderr bytes.Buffer
	args := []string{"--haproxy=/nowhere/haproxy", "--working-dir=" + t.TempDir(), "--manifests=" + t.TempDir(), "--listen-addr=127.0.0.1:0"}
	err := run(t.Context(), args, func(string) (string, bool) { return "", false }, &stdout, &stderr)
	if err == nil || stdout.Len() > 0 {
		t.Errorf("the error is %v, standard output %q", err, stdout.String())
	}
}
