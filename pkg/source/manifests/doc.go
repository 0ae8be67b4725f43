// Package manifests is the source that needs no cluster: it reads Kubernetes
// objects from the YAML and JSON files of a directory and follows edits.
//
// Decoding is strict. An object with an unknown field, a field given twice, a
// value of the wrong type or one that an API server would refuse is reported
// with its file and line, and is not served; the other objects are not
// affected. A file that breaks while it is being edited counts as it last
// could be read, so that a typing mistake takes nothing down.
//
// What becomes of the files depends on them alone: the first of two
// definitions in the order of paths counts, and what an API server would fill
// in is filled in.
package manifests
