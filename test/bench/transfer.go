package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	downSize = 200 << 20 // bytes of the file that is downloaded
	upSize   = 50 << 20  // of each that is uploaded, since Synapse keeps them all

	uploadPath   = "/_matrix/media/v3/upload"
	downloadPath = "/_matrix/client/v1/media/download/"
)

// transfers compares a large download and large uploads through the front with the same at Synapse itself.
func (b *bench) transfers(ctx context.Context, h *home) ([]row, error) {
	file, err := h.upload(ctx, h.postern, downSize)
	if err != nil {
		return nil, err
	}
	down, err := b.transfer(ctx, h, "download", downSize, func(p *process) error { return h.download(p, file) })
	if err != nil {
		return nil, err
	}
	up, err := b.transfer(ctx, h, "upload", upSize, func(p *process) error {
		_, err := h.upload(ctx, p, upSize)
		return err
	})
	return append(down, up...), err
}

// perRound is how many files are moved in each round each way. One takes a fraction of a second, in which much happens
// by chance.
const perRound = 4

// transfer moves files through the front and past it in turn, and tells how much longer they take through the front.
func (b *bench) transfer(ctx context.Context, h *home, what string, size int64, move func(*process) error) ([]row,
	error) {
	var times [2]figures
	var cpu time.Duration // that Postern used
	ways := []*process{h.postern, h.behind}
	for n := range b.rounds*perRound + 1 {
		for i, p := range ways {
			used, began := h.postern.cpu(), time.Now()
			if err := move(p); err != nil {
				return nil, fmt.Errorf("%s: %w", what, err)
			}
			if n == 0 {
				continue // it warms up
			}
			times[i] = append(times[i], float64(time.Since(began)))
			if p == h.postern {
				cpu += h.postern.cpu() - used
			}
		}
	}
	through, direct := times[0], times[1]
	gib := float64(size) * float64(len(through)) / (1 << 30)
	progress("  %s · through the front %s · the same Synapse %s", what, through.spread(micros), direct.spread(micros))
	return []row{{
		fmt.Sprintf("%s of %d MiB, streamed", what, size>>20),
		fmt.Sprintf("%s, %s CPU for a GiB", micros(through.median()), micros(float64(cpu)/gib)),
		"the same Synapse without the front: " + micros(direct.median()),
		through.over(direct).spread(ratio) + " of its time", "≤ 1.10",
	}}, ctx.Err()
}

// upload uploads a file of zeros and returns what follows mxc:// in its address.
func (h *home) upload(ctx context.Context, p *process, size int64) (string, error) {
	request, err := http.NewRequestWithContext(ctx, "POST", "http://"+p.address+uploadPath,
		io.LimitReader(zeros{}, size))
	if err != nil {
		return "", err
	}
	request.ContentLength = size
	request.Header.Set("Authorization", "Bearer "+h.token)
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		URI string `json:"content_uri"`
	}
	const scheme = "mxc://"
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.URI) < len(scheme) {
		return "", fmt.Errorf("upload: %s: %s", response.Status, text)
	}
	return answer.URI[len(scheme):], nil
}

// zeros is an endless file.
type zeros struct{}

// Read fills a part.
func (zeros) Read(part []byte) (int, error) {
	clear(part)
	return len(part), nil
}

// download downloads a file of downSize on a connection of its own, and looks at nothing but its length.
func (h *home) download(p *process, file string) error {
	c, err := dial(p.address, time.Minute)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET %s%s%sAuthorization: Bearer %s\r\n\r\n", downloadPath, file, head,
		h.token); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(c, len(c.in)), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n != downSize {
		return fmt.Errorf("%s, %d bytes: %v", response.Status, n, err)
	}
	return nil
}
