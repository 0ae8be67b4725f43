package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"router/pkg/options"
)

// secretForms are a private key in all forms that somebody might paste, by
// name. marks are parts of it that must not be seen.
func secretForms(t *testing.T) (forms map[string]string, marks []string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	forms = map[string]string{
		"PEM": text, "PEM on a line": strings.ReplaceAll(text, "\n", " "), "base64 of PEM": base64.StdEncoding.EncodeToString([]byte(text)), "base64": base64.StdEncoding.EncodeToString(der),
	}
	// The form of a key is no secret: its number is.
	const number = 100
	for _, f := range forms {
		marks = append(marks, f[number:number+20])
	}
	return forms, marks
}

// attempt runs a router that ends by itself: there is no HAProxy.
func attempt(t *testing.T, r options.Row, env map[string]string, args []string) string {
	t.Helper()
	dir := t.TempDir()
	all := []string{"--verbosity=debug", "--message-format=json"}
	for flag, value := range map[string]string{"haproxy": "/nowhere/haproxy", "working-dir": filepath.Join(dir, "w"), "listen-addr": "127.0.0.1:0", "manifests": dir} {
		if r.Flag != flag {
			all = append(all, "--"+flag+"="+value)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	err := run(ctx, append(all, args...), func(name string) (string, bool) { v, ok := env[name]; return v, ok }, &stdout, &stderr)
	if err == nil {
		t.Errorf("--%s: the router ended without an error: %s", r.Flag, stdout.String())
	}
	return fmt.Sprint(stdout.String(), stderr.String(), err)
}

// hides gives a row a value in every way, and looks for the marks.
func hides(t *testing.T, r options.Row, what, value string, marks []string, beside ...string) {
	t.Helper()
	see := func(how string, env map[string]string, args ...string) {
		t.Helper()
		said := attempt(t, r, env, append(args, beside...))
		for _, mark := range marks {
			if strings.Contains(said, mark) {
				t.Errorf("%s as %s is shown: %s", what, how, said)
			}
		}
	}
	for _, flag := range append([]string{r.Flag}, r.Aliases...) {
		see("--"+flag, nil, "--"+flag, value)
	}
	for _, env := range []string{r.Env, r.AliasEnv} {
		if env != "" {
			see("$"+env, map[string]string{env: value})
		}
	}
}

// TestNoOptionShowsAKey gives every option a private key: its text, and where
// a path is wanted a file with it.
func TestNoOptionShowsAKey(t *testing.T) {
	forms, marks := secretForms(t)
	for _, r := range options.Table() {
		t.Run(r.Flag, func(t *testing.T) {
			for name, value := range forms {
				hides(t, r, name, value, marks, beside(t, r)...)
				if r.Accepts == "a path" {
					hides(t, r, "a file with "+name, secretFile(t, value), marks, beside(t, r)...)
				}
			}
		})
	}
}

// TestOptionsOfSecretsDoNotShowThem gives a password to every option that is a
// secret, or the path of a file that may hold one.
func TestOptionsOfSecretsDoNotShowThem(t *testing.T) {
	token := "S3cr" + rand.Text()
	// Paths of what is no secret may be shown as they are.
	public := []string{"manifests", "haproxy", "working-dir", "template"}
	seen := 0
	for _, r := range options.Table() {
		if !r.Secret && (r.Accepts != "a path" || slices.Contains(public, r.Flag)) {
			continue
		}
		seen++
		t.Run(r.Flag, func(t *testing.T) {
			hides(t, r, "a password", token, []string{token}, beside(t, r)...)
			hides(t, r, "a password in a URL", "http://user:"+token+"@proxy.test:x", []string{token}, beside(t, r)...)
			if r.Accepts == "a path" {
				hides(t, r, "a file with a password", secretFile(t, token+"\n"), []string{token}, beside(t, r)...)
			}
		})
	}
	if seen < 15 {
		t.Errorf("there are only %d such options", seen)
	}
}

// beside are the flags that make a row count.
func beside(t *testing.T, r options.Row) []string {
	t.Helper()
	file := secretFile(t, "x")
	return map[string][]string{
		"stats-user-file": {"--stats-password-file", secretFile(t, "")}, "stats-password-file": {"--stats-user-file", file},
		"metrics-tls-cert-file": {"--metrics-tls-key-file", file}, "metrics-tls-key-file": {"--metrics-tls-cert-file", file},
		"mutual-tls-auth-ca": {"--mutual-tls-auth=required"}, "mutual-tls-auth-crl": {"--mutual-tls-auth=required", "--mutual-tls-auth-ca", file},
	}[r.Flag]
}

func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTheRestOfAValueWithoutQuotes has the shell split a key into words.
func TestTheRestOfAValueWithoutQuotes(t *testing.T) {
	forms, _ := secretForms(t)
	const width = 76 // of base64's lines
	for name, value := range forms {
		var words []string
		for line := range slices.Chunk([]byte(value), width) {
			words = append(words, strings.Fields(string(line))...)
		}
		err := run(t.Context(), append([]string{"--default-certificate"}, words...), func(string) (string, bool) { return "", false }, &bytes.Buffer{}, &bytes.Buffer{})
		for _, word := range words[1:] {
			if err == nil || len(word) > 20 && strings.Contains(err.Error(), word) {
				t.Errorf("%s is shown: %v", name, err)
			}
		}
	}
}

// TestArgumentsThatBelongToNoFlag has a key where a flag or command is wanted.
func TestArgumentsThatBelongToNoFlag(t *testing.T) {
	forms, marks := secretForms(t)
	for name, value := range forms {
		for _, args := range [][]string{{value}, {"-" + value}, {"--" + value}, {"--x=" + value}, {"--" + value + "=x"}, {"--update-status", value}, {"completion", value}, {"version", value}} {
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), args, func(string) (string, bool) { return "", false }, &stdout, &stderr)
			said := fmt.Sprint(stdout.String(), stderr.String(), err)
			for _, mark := range marks {
				if strings.Contains(said, mark) {
					t.Errorf("%s in %.20q is shown: %s", name, args, said)
				}
			}
		}
	}
}
