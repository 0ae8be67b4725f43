package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"

	"router/conf"
	"router/pkg/given"
	"router/pkg/model"
)

// errorPages are the operator's pages, or the built-in ones.
func errorPages(g model.Global) (map[int][]byte, error) {
	pages := map[int][]byte{}
	for _, p := range []struct {
		code                      int
		custom, builtIn, whatFlag string
	}{
		{http.StatusServiceUnavailable, g.ErrorPage503, "error-page-503.http", "--errorfile-503 (ROUTER_ERRORFILE_503)"},
		{http.StatusNotFound, g.ErrorPage404, "error-page-404.http", "--errorfile-404 (ROUTER_ERRORFILE_404)"},
	} {
		var err error
		if p.custom == "" {
			if pages[p.code], err = fs.ReadFile(conf.Files, p.builtIn); err != nil {
				return nil, fmt.Errorf("built-in error page: %w", err)
			}
			continue
		}
		path := given.Path(p.custom)
		if pages[p.code], err = path.Read(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.whatFlag, err)
		}
		response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(pages[p.code])), nil)
		if err != nil { // It quotes the file, which may be another one than was meant.
			return nil, fmt.Errorf("%s: %s is not a raw HTTP response, such as conf/%s", p.whatFlag, path, p.builtIn)
		}
		_ = response.Body.Close()
	}
	return pages, nil
}

// logTarget resolves the name of a log server, once: HAProxy would do so at
// each reload, and a name that does not resolve then would stop all changes.
func logTarget(ctx context.Context, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address, nil //nolint:nilerr // a path, or standard output
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", fmt.Errorf("--syslog-address (ROUTER_SYSLOG_ADDRESS): %w", err)
	}
	return net.JoinHostPort(addresses[0].Unmap().String(), port), nil
}
