module belay.dev/belay/tests/bench/go

go 1.21
