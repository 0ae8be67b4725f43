// Package conf holds what HAProxy reads, for an operator to review without
// knowing Go: the configuration as text/template parts by section, and the
// error pages. The parts are compiled into the binary; --template replaces
// any of them by a definition of the same name.
package conf

import "embed"

// Files are the template parts (*.tmpl) and the error pages (*.http).
//
//go:embed *.tmpl *.http
var Files embed.FS
