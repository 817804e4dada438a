-- Two lines for a plan to read, in fixed units: wrk's own report changes its units with the size of the figure.
done = function(summary, latency)
    local seconds = summary.duration / 1e6
    io.write(string.format("requests_per_second %.3f\n", summary.requests / seconds))
    io.write(string.format("p99_ms %.3f\n", latency:percentile(99) / 1e3))
end
