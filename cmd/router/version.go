package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"
)

// What the binary was built from, set by the Makefile with -ldflags -X. They
// have the names that scripts for the reference router know. What is not set
// is taken from what the Go command notes, as far as it does.
var (
	majorFromGit   string
	minorFromGit   string
	commitFromGit  string
	versionFromGit string
	gitTreeState   string
	buildDate      string
)

// build is what is known of the binary.
type build struct{ major, minor, commit, version, treeState, date string }

// thisBuild asks the Go command's notes for what the linker was not told.
func thisBuild() build {
	b := build{majorFromGit, minorFromGit, commitFromGit, versionFromGit, gitTreeState, buildDate}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return b.completed(info)
}

// completed fills gaps.
func (b build) completed(info *debug.BuildInfo) build {
	noted := map[string]string{}
	for _, s := range info.Settings {
		noted[s.Key] = s.Value
	}
	b.commit = cmp.Or(b.commit, noted["vcs.revision"])
	b.date = cmp.Or(b.date, noted["vcs.time"])
	b.treeState = cmp.Or(b.treeState, map[string]string{"true": "dirty", "false": "clean"}[noted["vcs.modified"]])
	b.version = cmp.Or(b.version, info.Main.Version, "unknown")
	if numbers, ok := strings.CutPrefix(b.version, "v"); ok && b.major == "" {
		parts := strings.SplitN(numbers, ".", 3)
		if len(parts) == 3 {
			b.major, b.minor = parts[0], parts[1]
		}
	}
	return b
}

// String has the lines of the reference router.
func (b build) String() string {
	return fmt.Sprintf("majorFromGit: %s\nminorFromGit: %s\ncommitFromGit: %s\nversionFromGit: %s\ngitTreeState: %s\nbuildDate: %s\n",
		b.major, b.minor, b.commit, b.version, b.treeState, b.date)
}
