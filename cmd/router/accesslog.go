package main

import (
	"io"
	"io/fs"
	"os"
	"strconv"
)

// accessLog is standard output for HAProxy's own use. HAProxy makes it
// non-blocking, so that a reader who does not read never holds it up. On a
// pipe or terminal that would be so for everybody who has it open, standard
// error often among them; so it is opened anew. (A file never blocks, and a
// second offset into it would do harm.)
func accessLog(stdout io.Writer) io.Writer {
	file, ok := stdout.(*os.File)
	if !ok {
		return stdout
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		return stdout
	}
	own, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(file.Fd())), os.O_WRONLY, 0)
	if err != nil {
		return stdout
	}
	return own
}
