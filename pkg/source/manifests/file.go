package manifests

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"router/pkg/source"
)

// file is a manifest and what was read from it.
type file struct {
	path string
	// info is of the look before it was read, nil where it is to be read again
	// in any case.
	info fs.FileInfo
	// outcome is the hash of what was read, or of why nothing could be.
	outcome [sha256.Size]byte
	// documents are those of the last reading, by the hash of their text: one
	// that did not change is not decoded again, however large the file.
	documents map[[sha256.Size]byte]decoded
	// objects are what the file counts for, in their order: what it holds, and
	// of what cannot be decoded the last version that could.
	objects  []object
	stale    map[source.Key]bool
	problems []Problem
	// emptied is when the file was found empty; zero while it is not.
	emptied time.Time
}

const (
	// maxFile is the size of the largest file that is read, in bytes.
	maxFile = 64 << 20
	// coarse is more than the step in which any file system counts time. A file
	// that was changed so shortly before it was read may change once more
	// without looking different.
	coarse = 2 * time.Second
)

// unchanged reports whether a file is as it was when it was last read.
func (f *file) unchanged(info fs.FileInfo) bool { return f.info != nil && same(f.info, info) }

// read takes in what the file holds now, and reports whether that is another
// thing than before. A file that was emptied is taken for one that is about to
// be written, for as long as grace.
func (f *file) read(at listed, now time.Time, grace time.Duration) (changed bool) {
	f.info = nil
	content, err := readFile(at)
	outcome := sha256.Sum256(content)
	if err != nil {
		outcome = sha256.Sum256([]byte("error: " + cause(err)))
	} else if len(content) == 0 && len(f.objects) > 0 {
		if f.emptied.IsZero() {
			f.emptied = now
		}
		if now.Sub(f.emptied) < grace {
			return false
		}
	}
	f.emptied = time.Time{}
	if err == nil && now.Sub(at.info.ModTime()) > coarse {
		f.info = at.info
	}
	if outcome == f.outcome {
		return false
	}
	f.outcome = outcome
	if err != nil {
		f.keep(decoded{unknown: true, problems: []Problem{{Line: 1, Message: cause(err)}}})
	} else {
		f.keep(f.decode(content))
	}
	return true
}

// readFile reads a regular file: opening anything else could wait for ever.
func readFile(at listed) ([]byte, error) {
	if !at.info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	tooLarge := fmt.Errorf("larger than %d MiB", maxFile>>20)
	if at.info.Size() > maxFile {
		return nil, tooLarge
	}
	in, err := os.Open(at.path)
	if err != nil {
		return nil, err //nolint:wrapcheck // cause words it
	}
	defer func() { _ = in.Close() }()
	content, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = tooLarge
	}
	return content, err
}

// decode decodes the documents that are not known from the reading before.
func (f *file) decode(content []byte) decoded {
	docs, problem := splitFile(f.path, content)
	all := decoded{broken: map[source.Key]bool{}}
	known := make(map[[sha256.Size]byte]decoded, len(docs))
	for _, doc := range docs {
		hash := sha256.Sum256(doc.text)
		part, ok := f.documents[hash]
		if !ok {
			if part, ok = known[hash]; !ok {
				part = decodeDocument(doc)
			}
		}
		known[hash] = part
		for _, o := range part.objects {
			o.line += doc.line - 1
			all.objects = append(all.objects, o)
		}
		for _, p := range part.problems {
			p.Line += doc.line - 1
			all.problems = append(all.problems, p)
		}
		for key := range part.broken {
			all.broken[key] = true
		}
		all.unknown = all.unknown || part.unknown
	}
	if problem != nil {
		all.problems, all.unknown = append(all.problems, *problem), true
	}
	f.documents = known
	return all
}

// keep takes a reading in, with what it does not tell from the one before.
func (f *file) keep(d decoded) {
	there := make(map[source.Key]bool, len(d.objects))
	for _, o := range d.objects {
		there[o.key] = true
	}
	f.stale = map[source.Key]bool{}
	for _, o := range f.objects {
		if !there[o.key] && (d.unknown || d.broken[o.key]) {
			d.objects = append(d.objects, o)
			there[o.key], f.stale[o.key] = true, true
		}
	}
	f.objects, f.problems = d.objects, nil
	for _, p := range d.problems {
		p.File = f.path
		switch {
		case f.stale[source.Key{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}]:
			p.Message += "; it is served as it was before"
		case p.Name == "" && len(f.stale) > 0:
			p.Message += "; what is missing of the file is served as it was before"
		case p.Name != "" || p.Kind != "":
			p.Message += "; the object is left out"
		}
		f.problems = append(f.problems, p)
	}
	slices.SortFunc(f.problems, compareProblems)
}
