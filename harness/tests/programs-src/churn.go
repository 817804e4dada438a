// A churn in Go's own heap.
package main

import (
	"fmt"
	"time"
)

func main() {
	kept := make([][]byte, 4096)
	count := 0
	for begin := time.Now(); time.Since(begin) < 800*time.Millisecond; count++ {
		kept[count%len(kept)] = make([]byte, 2048)
	}
	fmt.Println("rate:", count)
}
