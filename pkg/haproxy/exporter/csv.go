package exporter

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// row is one line of HAProxy's statistics. Its fields are only valid until
// the next one is read.
type row struct {
	kind          kind
	proxy, server string
	fields        []string
}

// eachRow reads the answer to "show stat" and visits the rows of frontends,
// backends and servers; those of listeners are left out. An answer with a line
// that is cut short, or with anything else in it, is an error, which may come
// after rows were visited.
func eachRow(answer string, visit func(row)) error {
	answer = strings.TrimLeft(answer, "\n")
	if !strings.HasPrefix(answer, "# pxname,svname,") {
		return errors.New("the answer has no heading")
	}
	r := csv.NewReader(strings.NewReader(answer))
	r.FieldsPerRecord = -1 // newer versions have columns that only some rows have
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		return fmt.Errorf("heading: %w", err)
	}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("statistics: %w", err)
		}
		if len(fields) < columnsNeeded {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("line %d has %d columns, at least %d are needed", line, len(fields), columnsNeeded)
		}
		n, err := strconv.Atoi(fields[columnType])
		if err != nil {
			line, _ := r.FieldPos(columnType)
			return fmt.Errorf("line %d: type: %w", line, err)
		}
		if all := kinds(); n >= 0 && n < len(all) {
			// Names outlive the line, which would be kept with them.
			visit(row{
				kind: all[n], proxy: strings.Clone(fields[columnProxy]), server: strings.Clone(fields[columnServer]), fields: fields,
			})
		}
	}
}

// value reads a column. Ok is false where HAProxy leaves it out; an error
// means that it is there and is not a number.
func (r row) value(index int) (v float64, ok bool, err error) {
	if index >= len(r.fields) || r.fields[index] == "" {
		return 0, false, nil
	}
	text := r.fields[index]
	if index == columnStatus {
		if isUp(text) {
			return 1, true, nil
		}
		return 0, true, nil
	}
	// Integers throughout: "NaN" or "0x1p4" would be no value of HAProxy's.
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("column %d of %s/%s: %w", index, r.proxy, r.server, err)
	}
	return float64(n), true, nil
}

// isUp reads a status. A server is up until its last allowed check has
// failed, which "UP 1/3" counts; one without checks is taken to be.
func isUp(status string) bool {
	return status == "UP" || strings.HasPrefix(status, "UP ") || status == "OPEN" || status == "no check"
}
