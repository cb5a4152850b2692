// One caller: a review after the other over the transport that kube-apiserver uses (HTTP/1.1, 25
// idle connections a host), with a pause of GAP milliseconds before each, give or take a half.
// Several servers are called in turn, so that what else the machine does falls on all of them alike.
// Prints "RESULT calls p50 p99 errors" for each, times in µs.
//
// usage: caller BODY SECONDS GAP URL...
package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"os"
	"sort"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) < 5 {
		log.Fatal("usage: caller BODY SECONDS GAP URL...")
	}
	urls := os.Args[4:]
	body, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	if err != nil {
		log.Fatal(err)
	}
	gap, err := strconv.ParseFloat(os.Args[3], 64)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			// The certificate is the benchmark's own.
			TLSClientConfig:     &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}},
			MaxIdleConnsPerHost: 25,
		},
	}
	random := rand.New(rand.NewSource(1))
	times := make([][]int64, len(urls))
	errors := make([]int, len(urls))
	call := func(at int) time.Duration {
		request, err := http.NewRequest(http.MethodPost, urls[at], bytes.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "application/json, */*")
		begin := time.Now()
		response, err := client.Do(request)
		if err != nil {
			errors[at]++
			return 0
		}
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			errors[at]++
		}
		return time.Since(begin)
	}
	for at := range urls {
		call(at) // the handshake is not counted
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for time.Now().Before(end) {
		for at := range urls {
			time.Sleep(time.Duration(gap * (0.5 + random.Float64()) * float64(time.Millisecond)))
			times[at] = append(times[at], call(at).Microseconds())
		}
	}
	for at, of := range times {
		sort.Slice(of, func(i, j int) bool { return of[i] < of[j] })
		part := func(part float64) int64 { return of[min(len(of)-1, int(part*float64(len(of))))] }
		fmt.Printf("RESULT %d %d %d %d\n", len(of), part(0.5), part(0.99), errors[at])
	}
}
