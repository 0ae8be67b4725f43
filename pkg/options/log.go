package options

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"router/pkg/httpheader"
	"router/pkg/model"
)

// syslogPort is the port of syslog over UDP (RFC 5426).
const syslogPort = 514

const logAddresses = "IP, IP:PORT, [IPv6]:PORT, NAME, NAME:PORT, the path of a socket, or stdout"

// parseLogAddress reads where the access log goes, into the form in which
// HAProxy reads it.
func parseLogAddress(v string) (string, error) {
	wrong := fmt.Errorf("must be %s", logAddresses)
	switch {
	case v == model.LogStdout, strings.HasPrefix(v, "/"):
		return v, nil
	case v == "container":
		return model.LogStdout, nil
	}
	v = strings.TrimPrefix(v, "udp@")
	if a, err := netip.ParseAddr(strings.Trim(v, "[]")); err == nil {
		return net.JoinHostPort(a.String(), strconv.Itoa(syslogPort)), nil
	}
	host, port := v, strconv.Itoa(syslogPort)
	if h, p, err := net.SplitHostPort(v); err == nil {
		host, port = h, p
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > maxPort {
		return "", wrong
	}
	if _, err := netip.ParseAddr(host); err != nil && len(validation.IsDNS1123Subdomain(strings.ToLower(host))) > 0 {
		return "", wrong
	}
	return net.JoinHostPort(host, port), nil
}

func syslogAddress() Row {
	return custom("syslog-address", "ROUTER_SYSLOG_ADDRESS", "", logAddresses,
		"Where the access log goes: to syslog over UDP or a unix socket, or to the router's own standard output.", func(o *Options, v string) error {
			address, err := parseLogAddress(v)
			o.Global.Log.Address = address
			return err
		})
}

func logFacility() Row {
	return choice("log-facility", "ROUTER_LOG_FACILITY", "local1", "Syslog facility of the access log.", func(o *Options) *string { return &o.Global.Log.Facility },
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp", "audit", "alert", "cron2",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7")
}

func uniqueIDHeader() Row {
	return custom("unique-id-header-name", "ROUTER_UNIQUE_ID_HEADER_NAME", "", "a header name", "Header that carries the identifier to pods.", func(o *Options, v string) error {
		if !httpheader.ValidName(v) {
			return fmt.Errorf("is not a header name")
		}
		if httpheader.Framing(v) {
			return fmt.Errorf("is a header that HAProxy alone writes")
		}
		o.Global.Headers.UniqueIDHeader = v
		return nil
	})
}
