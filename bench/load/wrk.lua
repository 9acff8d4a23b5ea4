-- Prints wrk's result as one line of JSON, the same fields as bload.
done = function(summary, latency, requests)
  local e = summary.errors
  local secs = summary.duration / 1e6
  local kinds = string.format("connect=%d read=%d write=%d status=%d timeout=%d",
    e.connect, e.read, e.write, e.status, e.timeout)
  io.write(string.format('JSON {"requests":%d,"secs":%.4f,"rps":%.1f,"p50_us":%.1f,"p99_us":%.1f,' ..
    '"errors":%d,"err":"%s","bytes":%d}\n',
    summary.requests, secs, summary.requests / secs, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout, kinds, summary.bytes))
end
