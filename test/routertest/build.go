package routertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// build makes the program at path, with the race detector. The packages of a
// run share one that is kept between runs, below the directory "build": the Go
// command makes it anew only where something has changed. Each package has a
// link to it, which stays what it is when the next run makes another one.
func build(path string) error {
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("finding the module: %w", err)
	}
	dir := filepath.Join(filepath.Dir(string(bytes.TrimSpace(module))), "build", "test")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // our own directory
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // The lock ends with it.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("waiting for another package's build: %w", err)
	}
	shared := filepath.Join(dir, "router")
	if out, err := exec.Command("go", "build", "-race", "-ldflags=-s -w", "-o", shared, "router/cmd/router").CombinedOutput(); err != nil { //nolint:gosec // our own program
		return fmt.Errorf("building the router: %w: %s", err, out)
	}
	if err := os.Link(shared, path); err == nil || !errors.Is(err, syscall.EXDEV) {
		return err
	}
	return copyFile(shared, path)
}

// copyFile is for a directory that is on another file system.
func copyFile(from, to string) error {
	in, err := os.Open(from) //nolint:gosec // our own file
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700) //nolint:gosec // it is a program
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
