// Package kubetest runs a real cluster's control plane for tests: etcd, the
// API server, and if asked for the controllers that make endpoint slices.
package kubetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"router/test/certs"
	"router/test/haproxies"
	"router/test/ports"
)

// Options say what to run beside etcd and the API server.
type Options struct {
	// Controllers runs those that make endpoint slices of pods.
	Controllers bool
}

// Cluster is a running control plane.
type Cluster struct {
	// Config is an administrator's.
	Config *rest.Config
	// Kubeconfig is the path of a file that says the same.
	Kubeconfig string

	t         testing.TB
	dir, bin  string
	port      int
	etcdURL   string
	apiserver *process
}

const (
	token        = "admin-token"
	startTimeout = 90 * time.Second
	poll         = 100 * time.Millisecond
)

// Start runs a control plane until the end of the test, with the Route
// resource installed. What is missing fails the test; "make test-deps" brings
// it.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	c := &Cluster{t: t, dir: t.TempDir(), bin: filepath.Join(haproxies.Root(t), "build", "kube")}
	ports := freePorts(t, 3)
	c.port = ports[2]
	c.etcdURL = "http://127.0.0.1:" + strconv.Itoa(ports[0])
	peer := "http://127.0.0.1:" + strconv.Itoa(ports[1])
	c.start("etcd", "--data-dir", filepath.Join(c.dir, "etcd"), "--listen-client-urls", c.etcdURL, "--advertise-client-urls", c.etcdURL,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	c.writeFiles()
	c.StartAPIServer()
	c.installCRD()
	if o.Controllers {
		client := kubernetes.NewForConfigOrDie(c.Config)
		// The controllers leave out pods whose node they do not know.
		if _, err := client.CoreV1().Nodes().Create(context.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.start(filepath.Join(c.bin, "kube-controller-manager"), "--kubeconfig", c.Kubeconfig, "--leader-elect=false", "--secure-port=0",
			"--controllers=endpoints-controller,endpointslice-controller,endpointslice-mirroring-controller,namespace-controller", "--use-service-account-credentials=false")
	}
	return c
}

// node is where all pods of a test cluster are.
const node = "node"

// MakePod makes a pod that is ready at an address. (There is no kubelet: what
// answers at the address is the test's.)
func (c *Cluster) MakePod(ctx context.Context, namespace, name string, labels map[string]string, address string) error {
	pods := kubernetes.NewForConfigOrDie(c.Config).CoreV1().Pods(namespace)
	pod, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("pod %s: %w", name, err)
	}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("status of pod %s: %w", name, err)
	}
	return nil
}

// DeletePod removes a pod at once.
func (c *Cluster) DeletePod(ctx context.Context, namespace, name string) error {
	now := int64(0)
	return kubernetes.NewForConfigOrDie(c.Config).CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
}

// freePorts finds ports that nobody listens on.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	list := make([]int, n)
	for i := range list {
		list[i] = ports.Free(t)
	}
	return list
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) write(name, content string) {
	c.t.Helper()
	if err := os.WriteFile(c.path(name), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// writeFiles makes the certificates, keys and tokens.
func (c *Cluster) writeFiles() {
	c.t.Helper()
	authority, err := certs.NewAuthority("kubetest")
	if err != nil {
		c.t.Fatal(err)
	}
	pair, err := authority.IssueFor([]net.IP{net.IPv4(127, 0, 0, 1)}, "localhost")
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("ca.crt", authority.PEM)
	c.write("tls.crt", pair.Cert)
	c.write("tls.key", pair.Key)
	c.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	c.write("tokens", token+",admin,admin,system:masters\n")

	c.Config = &rest.Config{
		Host: "https://127.0.0.1:" + strconv.Itoa(c.port), BearerToken: token,
		TLSClientConfig: rest.TLSClientConfig{CAData: []byte(authority.PEM)}, QPS: 500, Burst: 1000,
	}
	c.Kubeconfig = c.path("kubeconfig")
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: c.Config.Host, CertificateAuthorityData: []byte(authority.PEM)}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"admin": {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "admin"}},
		CurrentContext: "test",
	}, c.Kubeconfig)
	if err != nil {
		c.t.Fatal(err)
	}
}

// StartAPIServer runs the API server, and waits until it answers.
func (c *Cluster) StartAPIServer() {
	c.t.Helper()
	c.apiserver = c.start(filepath.Join(c.bin, "kube-apiserver"),
		"--etcd-servers", c.etcdURL, "--bind-address", "127.0.0.1", "--advertise-address", "198.18.255.254", "--secure-port", strconv.Itoa(c.port),
		"--tls-cert-file", c.path("tls.crt"), "--tls-private-key-file", c.path("tls.key"), "--cert-dir", c.dir,
		"--token-auth-file", c.path("tokens"), "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/16",
		"--service-account-issuer", "https://kubetest", "--service-account-key-file", c.path("sa.key"), "--service-account-signing-key-file", c.path("sa.key"),
		"--disable-admission-plugins", "ServiceAccount", "--endpoint-reconciler-type", "none")
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.wait("the API server", func(ctx context.Context) error {
		if _, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
			return err
		}
		_, err := client.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// StopAPIServer ends the API server; etcd keeps what it knows.
func (c *Cluster) StopAPIServer() { c.apiserver.stop() }

// wait tries until there is no error.
func (c *Cluster) wait(what string, try func(context.Context) error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("%s is not there: %v", what, err)
		case <-ticker.C:
		}
	}
}

// crdPath is where the module github.com/openshift/api keeps the resource.
const crdPath = "route/v1/zz_generated.crd-manifests/routes.crd.yaml"

func (c *Cluster) installCRD() {
	c.t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/openshift/api").Output()
	if err != nil {
		c.t.Fatalf("finding the Route resource: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(string(bytes.TrimSpace(out)), crdPath))
	if err != nil {
		c.t.Fatal(err)
	}
	var crd unstructured.Unstructured
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		c.t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.wait("the Route resource", func(ctx context.Context) error {
		resource := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
		if _, err := client.Resource(resource).Create(ctx, &crd, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		_, err := client.Resource(schema.GroupVersionResource{Group: "route.openshift.io", Version: "v1", Resource: "routes"}).List(ctx, metav1.ListOptions{})
		return err
	})
}

// process is one program of the control plane.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan struct{}
}

// start runs a program until the end of the test.
func (c *Cluster) start(name string, args ...string) *process {
	c.t.Helper()
	p := &process{t: c.t, cmd: exec.Command(name, args...), log: &bytes.Buffer{}, done: make(chan struct{})} //nolint:gosec // our own programs
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// A test binary that is killed takes its programs along. The signal is
	// sent when the thread ends that started the program, so that thread stays.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			c.t.Fatalf("%v; \"make test-deps\" brings it", err)
		}
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.stop)
	return p
}

// shownLog is how much of a program's log a failed test shows, in bytes.
const shownLog = 4000

// stop ends the program, if it still runs, at once: the API server would wait
// for its watches to end, and etcd has written what it was given.
func (p *process) stop() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	if p.t.Failed() {
		text := p.log.String()
		p.t.Logf("the end of the log of %s:\n%s", filepath.Base(p.cmd.Path), text[max(0, len(text)-shownLog):])
	}
}
