// Package options is the router's command line: every flag with its
// environment variable, default, accepted values and check, in one table.
// Registration, help texts and docs/options.md come from that table; the
// result is a plain, validated value.
package options

//go:generate go run ../../hack/gendocs ../../docs
