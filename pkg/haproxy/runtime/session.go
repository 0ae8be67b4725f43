package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Timeout bounds each exchange on a socket whose context has no deadline.
const Timeout = 5 * time.Second

// CommandError is an answer by which HAProxy refused a command.
type CommandError struct {
	// Command is the command's first line; a payload is never shown.
	Command string
	Answer  string
}

// Error implements error.
func (e *CommandError) Error() string {
	return fmt.Sprintf("haproxy refused %q: %s", e.Command, e.Answer)
}

// Session is an interactive connection to a worker's command socket: one
// connection carries any number of commands, and each answer is told from the
// next by the prompt. (client-native opens a connection for each command, and
// takes an answer that was cut short for a whole one; here that is an error.)
type Session struct {
	conn   net.Conn
	reader *bufio.Reader
}

// MaxPayload bounds a command's payload, in bytes: before 3.4 a larger one
// does not fit HAProxy's buffer, and 2.6 drops it without a word.
const MaxPayload = 14000

// readSize is what is read of an answer at once, in bytes: most are short, and
// some have a line for each server there is.
const readSize = 16 << 10

// prompt ends each answer in interactive mode.
const prompt = "\n> "

// Dial connects to a unix socket.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connecting to haproxy: %w", err)
	}
	return conn, nil
}

// Dialer connects to a command socket.
type Dialer func(ctx context.Context, path string) (net.Conn, error)

// Open connects to a worker's command socket, by dial or, where that is nil, as
// Dial does.
func Open(ctx context.Context, path string, dial Dialer) (*Session, error) {
	if dial == nil {
		dial = Dial
	}
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, err
	}
	return newSession(ctx, conn)
}

// newSession makes a connection interactive.
func newSession(ctx context.Context, conn net.Conn) (*Session, error) {
	s := &Session{conn: conn, reader: bufio.NewReaderSize(conn, readSize)}
	for _, c := range []string{"prompt", "set severity-output number"} {
		if _, err := s.exchange(ctx, c); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close ends the connection.
func (s *Session) Close() { _ = s.conn.Close() }

// Do sends one command, with its payload if it has one, and returns the
// answer. An answer of severity error is a *CommandError.
func (s *Session) Do(ctx context.Context, command string) (string, error) {
	answer, err := s.exchange(ctx, command)
	if err != nil {
		return "", err
	}
	text, severity := splitSeverity(answer)
	if severity >= '0' && severity <= '3' {
		return "", &CommandError{Command: FirstLine(command), Answer: text}
	}
	return text, nil
}

// exchange writes a command and reads up to the next prompt.
func (s *Session) exchange(ctx context.Context, command string) (string, error) {
	deadline, ok := ctx.Deadline()
	if limit := time.Now().Add(Timeout); !ok || limit.Before(deadline) {
		deadline = limit
	}
	if err := s.conn.SetDeadline(deadline); err != nil {
		return "", fmt.Errorf("haproxy socket: %w", err)
	}
	if _, err := s.conn.Write([]byte(command + "\n")); err != nil {
		return "", fmt.Errorf("sending %q: %w", FirstLine(command), err)
	}
	var answer strings.Builder
	for {
		chunk, err := s.reader.ReadString(' ')
		answer.WriteString(chunk)
		if err != nil {
			return "", fmt.Errorf("answer to %q cut short: %w", FirstLine(command), err)
		}
		if chunk != "> " && !strings.HasSuffix(chunk, prompt) {
			continue
		}
		if text := answer.String(); text == "> " || strings.HasSuffix(text, prompt) {
			return cleanAnswer(strings.TrimSuffix(text, "> ")), nil
		}
	}
}

// cleanAnswer removes the "+ " prompts that older versions show for each line
// of a payload, and the blank lines around an answer.
func cleanAnswer(text string) string {
	text = strings.Trim(text, "\n")
	for strings.HasPrefix(text, "+ ") {
		text = text[2:]
	}
	return strings.Trim(text, "\n")
}

// splitSeverity takes the "[3]: " off an answer; severity is 0 without one.
func splitSeverity(answer string) (text string, severity byte) {
	if len(answer) >= 5 && answer[0] == '[' && answer[2:5] == "]: " {
		return answer[5:], answer[1]
	}
	return answer, 0
}

// FirstLine is a command without its payload, which may be secret.
func FirstLine(command string) string {
	line, _, _ := strings.Cut(command, "\n")
	return line
}

// EscapeWord makes s one word of a command line: blanks, backslashes and
// semicolons lose their meaning.
func EscapeWord(s string) string {
	return strings.NewReplacer(`\`, `\\`, " ", `\ `, ";", `\;`).Replace(s)
}

// Payload appends lines to a command as its payload. No line may be empty,
// since an empty line ends the payload.
func Payload(command string, lines string) string {
	return command + " <<\n" + strings.TrimRight(lines, "\n") + "\n"
}

// Query sends one command on a connection of its own and returns the answer.
func Query(ctx context.Context, path, command string) (string, error) {
	s, err := Open(ctx, path, nil)
	if err != nil {
		return "", err
	}
	defer s.Close()
	return s.Do(ctx, command)
}

// QueryMaster sends one command to the master process and reads until it
// closes the connection. An empty answer is possible: before 2.7 "reload"
// closes without a word.
func QueryMaster(ctx context.Context, path, command string) (string, error) {
	conn, err := Dial(ctx, path)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	} else {
		_ = conn.SetDeadline(time.Now().Add(Timeout))
	}
	if _, err := conn.Write([]byte(command + ";quit\n")); err != nil {
		return "", fmt.Errorf("sending %q to the master: %w", command, err)
	}
	var b strings.Builder
	if _, err := bufio.NewReader(conn).WriteTo(&b); err != nil && !errors.Is(err, net.ErrClosed) {
		return b.String(), fmt.Errorf("answer of the master to %q: %w", command, err)
	}
	return b.String(), nil
}
