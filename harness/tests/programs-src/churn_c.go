// A Go program with a part in C, which allocates with malloc; with a word, it hardly does.
package main

// #include <stdlib.h>
// #include <string.h>
import "C"

import (
	"fmt"
	"os"
	"time"
)

func main() {
	begin, count := time.Now(), 0
	var kept [4096][]byte
	for time.Since(begin) < 800*time.Millisecond {
		kept[count%4096] = make([]byte, 2048)
		if len(os.Args) < 2 {
			block := C.malloc(4096)
			C.memset(block, 1, 4096)
			if count >= 4096 {
				C.free(block)
			}
		}
		count++
	}
	fmt.Println("rate:", count, len(kept))
}
