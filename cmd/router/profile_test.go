package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProfiles(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	for _, profile := range []string{"cpu", "mem", "block", "mutex", "trace", "cpu-tmp", "mem-tmp"} {
		stop, err := startProfile(profile)
		if err != nil {
			t.Fatal(err)
		}
		name, err := stop()
		if err != nil {
			t.Fatal(err)
		}
		want := profile + ".pprof"
		if kind, temporary := strings.CutSuffix(profile, "-tmp"); temporary {
			want = filepath.Join(os.TempDir(), kind+".pprof")
		}
		if info, err := os.Stat(want); filepath.Base(name) != filepath.Base(want) || err != nil || info.Size() == 0 {
			t.Errorf("%s: %s, named %s, is %v, %v", profile, want, name, info, err)
		}
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("cpu.pprof", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := startProfile("cpu"); err == nil {
		t.Error("a file that cannot be written is no error")
	}
	if stop, err := startProfile(""); err != nil {
		t.Error(err)
	} else if name, err := stop(); name != "" || err != nil {
		t.Errorf("no profile: %q, %v", name, err)
	}
}
