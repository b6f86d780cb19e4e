// Answers values out of a map: net_http ADDRESS THREADS KEY=BYTES...
package main

import (
	"bytes"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
)

func number(text string) int {
	number, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return number
}

func main() {
	runtime.GOMAXPROCS(number(os.Args[2]))
	values := make(map[string][]byte)
	for _, argument := range os.Args[3:] {
		key, length, _ := strings.Cut(argument, "=")
		values[key] = bytes.Repeat([]byte{'x'}, number(length))
	}
	answer := func(writer http.ResponseWriter, request *http.Request) {
		value, found := values[request.URL.Path[1:]]
		if !found {
			http.NotFound(writer, request)
			return
		}
		writer.Header().Set("Content-Type", "application/octet-stream")
		writer.Header().Set("Content-Length", strconv.Itoa(len(value)))
		writer.Write(value)
	}
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(answer)))
}
