package stats

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// HAProxy's page and its CSV form show backends that wait for a route, and call
// those that have one by names of their own. pageFilter leaves the former out
// and gives the latter the names of their routes' backends. It passes the lines
// on as they come.
type pageFilter struct {
	lines *bufio.Reader
	body  io.Closer
	// names is Options.BackendNames.
	names func(proxy string) (backend string, ok bool)
	html  bool

	// dropping is whether the lines belong to a backend that is left out, and
	// from and to are what is replaced in others.
	dropping bool
	from, to string
	out      bytes.Buffer
	err      error
}

// filterPage filters an answer of HAProxy's statistics page.
func filterPage(r *http.Response, names func(string) (string, bool)) {
	kind := r.Header.Get("Content-Type")
	html := strings.HasPrefix(kind, "text/html")
	if names == nil || !html && !strings.HasPrefix(kind, "text/plain") {
		return
	}
	r.Body = &pageFilter{lines: bufio.NewReader(r.Body), body: r.Body, names: names, html: html}
	r.Header.Del("Content-Length")
	r.ContentLength = -1
}

// Read implements io.Reader.
func (f *pageFilter) Read(p []byte) (int, error) {
	for f.out.Len() == 0 {
		if f.err != nil {
			return 0, f.err
		}
		f.next()
	}
	return f.out.Read(p)
}

// Close implements io.Closer.
func (f *pageFilter) Close() error { return f.body.Close() }

// next takes the next line in, and in front of a table the one that names it.
func (f *pageFilter) next() {
	var line []byte
	if line, f.err = f.lines.ReadBytes('\n'); !f.html {
		proxy, _, _ := strings.Cut(string(line), ",")
		f.enter(proxy)
		f.put(line)
		return
	}
	switch {
	case bytes.HasPrefix(line, []byte(`<table class="tbl"`)) && f.err == nil:
		title, err := f.lines.ReadBytes('\n')
		if f.err = err; errors.Is(err, io.EOF) || err == nil {
			if proxy, ok := titled(string(title)); ok {
				f.enter(proxy)
			}
		}
		line = append(line, title...)
	case bytes.HasPrefix(line, []byte("</body>")):
		f.dropping, f.from = false, ""
	}
	f.put(line)
}

// titled is the proxy that the first line of a table names, if it names one.
func titled(line string) (string, bool) {
	_, rest, found := strings.Cut(line, `class="pxname"`)
	if !found {
		return "", false
	}
	_, rest, _ = strings.Cut(rest, `<a name="`)
	proxy, _, found := strings.Cut(rest, `"`)
	return proxy, found
}

// enter says that the lines that follow are about a proxy.
func (f *pageFilter) enter(proxy string) {
	backend, ok := f.names(proxy)
	f.dropping, f.from, f.to = !ok, "", ""
	if ok && backend != proxy {
		f.from, f.to = proxy, backend
	}
}

func (f *pageFilter) put(line []byte) {
	switch {
	case f.dropping:
	case f.from != "":
		f.out.Write(bytes.ReplaceAll(line, []byte(f.from), []byte(f.to)))
	default:
		f.out.Write(line)
	}
}
