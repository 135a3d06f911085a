// SPDX-License-Identifier: MIT

// Reads the clock through Go's runtime, from several goroutines, and compares with system calls made on purpose.
//
//	clocks TOLERANCE_NS
//
// The last line, on standard error, says what was done, for who counts system calls from outside:
//
//	ok served=N clock_gettime=M
//
// N calls of time.Now, each of which reads REALTIME and MONOTONIC, and M system calls.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	workers  = 4
	rounds   = 200
	realtime = 0
)

func fail(words ...any) {
	print("wrong:")
	for _, word := range words {
		switch word := word.(type) {
		case string:
			print(" ", word)
		case int64:
			print(" ", word)
		}
	}
	println()
	os.Exit(1)
}

func ask() int64 {
	var now syscall.Timespec
	_, _, err := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, realtime, uintptr(unsafe.Pointer(&now)), 0)
	if err != 0 {
		fail("the system call", int64(err))
	}
	return now.Nano()
}

func work(tolerance int64, done *sync.WaitGroup) {
	defer done.Done()
	runtime.LockOSThread()
	last := time.Now()
	for range rounds {
		before := ask()
		now := time.Now()
		after := ask()
		if got := now.UnixNano(); got < before-tolerance || got > after+tolerance {
			fail("time.Now", got, "not between", before, "and", after)
		}
		if passed := now.Sub(last); passed < 0 {
			fail("back in time by", int64(-passed))
		}
		last = now
	}
}

func main() {
	tolerance, err := strconv.ParseInt(os.Args[1], 10, 64)
	if err != nil {
		fail("the tolerance is no number")
	}
	var done sync.WaitGroup
	for range workers {
		done.Add(1)
		go work(tolerance, &done)
	}
	done.Wait()
	println("ok served="+strconv.Itoa(workers*(rounds+1)), "clock_gettime="+strconv.Itoa(workers*rounds*2))
}
