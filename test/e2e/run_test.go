package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"router/test/haproxies"
	"router/test/routertest"
)

// demo is a running hack/run.sh, what "make run" starts.
type demo struct {
	t    *testing.T
	cmd  *exec.Cmd
	said *routertest.Log
	done chan struct{}
}

// runDemo starts the script with the programs in a directory.
func runDemo(t *testing.T, bin, haproxy string, env ...string) *demo {
	t.Helper()
	d := &demo{t: t, cmd: exec.Command(filepath.Join(haproxies.Root(t), "hack", "run.sh")), said: &routertest.Log{}, done: make(chan struct{})} //nolint:gosec // our own script
	d.cmd.Env = append(os.Environ(), "BIN="+bin, "HTTP_PORT=", "HTTPS_PORT=", "STATS_PORT=")
	if dir := filepath.Dir(haproxy); dir != "." {
		d.cmd.Env = append(d.cmd.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	}
	d.cmd.Env = append(d.cmd.Env, env...)
	d.cmd.Stdout, d.cmd.Stderr = d.said, d.said
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait()
	}()
	t.Cleanup(d.end)
	return d
}

// end is Ctrl-C.
func (d *demo) end() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(routertest.Patience):
		_ = d.cmd.Process.Kill()
		d.t.Errorf("the script goes on:\n%s", d.said)
	}
}

// says waits for a text, and returns what the pattern's group holds.
func (d *demo) says(pattern string) string {
	d.t.Helper()
	var found string
	eventually(d.t, "the script says "+pattern, func() error {
		m := regexp.MustCompile(pattern).FindStringSubmatch(d.said.String())
		if m == nil {
			select {
			case <-d.done:
				d.t.Fatalf("the script ended:\n%s", d.said)
			default:
			}
			return errors.New(d.said.String())
		}
		found = m[len(m)-1]
		return nil
	})
	return found
}

// TestTwoDemosAtATime runs "make run" twice. Each finds ports of its own, has
// pods of its own, and listens on loopback alone.
func TestTwoDemosAtATime(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "router/test/cmd/sample-pods").CombinedOutput(); err != nil { //nolint:gosec // our own program
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Symlink(program, filepath.Join(bin, "router")); err != nil {
		t.Fatal(err)
	}
	haproxies.Each(t, func(t *testing.T, haproxy string) {
		demos := []*demo{runDemo(t, bin, haproxy), runDemo(t, bin, haproxy)}
		used := map[string]bool{}
		for _, d := range demos {
			for _, port := range d.ports() {
				if used[port] {
					t.Errorf("port %s has two users", port)
				}
				used[port] = true
			}
			d.answers()
			d.isPrivate()
		}
		// A port that somebody asks for is never exchanged.
		taken := demos[0].ports()[0]
		third := runDemo(t, bin, haproxy, "HTTP_PORT="+taken)
		<-third.done
		if said := third.said.String(); third.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, "port "+taken+" (HTTP_PORT) is taken") {
			t.Errorf("with a port that is taken, the script ends with %d: %s", third.cmd.ProcessState.ExitCode(), said)
		}
		started := descendants(t, demos[1].cmd.Process.Pid)
		demos[1].end()
		for _, pid := range started {
			if err := syscall.Kill(pid, 0); err == nil {
				t.Errorf("process %d is left", pid)
			}
		}
		demos[0].answers()
	})
}

// ports are those for HTTP, HTTPS and statistics, as they are printed.
func (d *demo) ports() []string {
	d.t.Helper()
	return []string{d.says(`curl -s http://127\.0\.0\.1:(\d+)/ -H 'Host: hello`), d.says(`curl -sk https://shop\.example\.test:(\d+)/`), d.says(`Statistics +http://127\.0\.0\.1:(\d+)/`)}
}

// answers asks for what the printed lines ask for.
func (d *demo) answers() {
	d.t.Helper()
	ports := d.ports()
	c := &http.Client{Timeout: routertest.Patience, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a demonstration
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			port := ports[0]
			if strings.HasSuffix(address, ":443") {
				port = ports[1]
			}
			return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}}
	for url, pod := range map[string]string{
		"http://hello.example.test/": "hello-", "https://shop.example.test/": "shop-", "https://bank.example.test/": "bank-1",
		"https://vault.example.test/": "vault-1", "https://blog.example.test/next": "shop-next-1",
	} {
		a, err := ask(c, url)
		if err != nil || a.StatusCode != http.StatusOK || !strings.HasPrefix(a.echo.Pod, pod) {
			d.t.Errorf("%s: status %v by %q, %v", url, a.Response, a.echo.Pod, err)
		}
	}
	password := d.says(`user admin, password (\S+)`)
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+ports[2]+"/api/routes", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	if a, err := answerOf(resp); err != nil || a.StatusCode != http.StatusOK {
		d.t.Errorf("/api/routes has status %d, %v", a.StatusCode, err)
	}
	manifests := d.says(`Edit a file in (\S+) and ask again`)
	if !filepath.IsAbs(manifests) {
		manifests = filepath.Join(haproxies.Root(d.t), manifests)
	}
	if _, err := os.Stat(filepath.Join(manifests, "http.yaml")); err != nil {
		d.t.Errorf("the manifests that are served: %v", err)
	}
}

// isPrivate looks at the sockets that the script's processes listen on.
func (d *demo) isPrivate() {
	d.t.Helper()
	listening := listeners(d.t, d.cmd.Process.Pid)
	count := 0
	for _, pid := range descendants(d.t, d.cmd.Process.Pid) {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			target, err := os.Readlink(link)
			if err != nil {
				continue // It is closed by now.
			}
			address, found := listening[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")]
			if !found {
				continue
			}
			count++
			if address != loopback {
				d.t.Errorf("process %d listens on %s", pid, address)
			}
		}
	}
	if count < 9 { // Six pods, and the router's three ports.
		d.t.Errorf("only %d sockets are listened on", count)
	}
}

// loopback is 127.0.0.1 as the system writes it.
const loopback = "0100007F"

// listeners are the addresses that are listened on with TCP, by inode, where a
// process is: tests in network namespaces may have left this one's first thread
// in one of theirs.
func listeners(t *testing.T, pid int) map[string]string {
	t.Helper()
	const listen = "0A"
	found := map[string]string{}
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table)) //nolint:gosec // of the system
		if err != nil {
			continue // There is no IPv6.
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == listen {
				address, _, _ := strings.Cut(f[1], ":")
				found[f[9]] = address
			}
		}
	}
	return found
}

// descendants are the processes that a process has started, and those of these.
func descendants(t *testing.T, of int) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	children := map[int][]int{}
	for _, f := range files {
		text, err := os.ReadFile(f) //nolint:gosec // of the system
		if err != nil {
			continue // It has ended.
		}
		// The name, in parentheses, may have blanks.
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	var all []int
	for next := children[of]; len(next) > 0; {
		all = append(all, next[0])
		next = append(next[1:], children[next[0]]...)
	}
	return all
}
