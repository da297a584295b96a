-- What wrk checks and reports for end_to_end.py: every status and body, and one line of JSON at the
-- end. The expected body is the first argument after "--".

local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   expected = args[1]
   wrong = 0
end

function response(status, headers, body)
   if status ~= 200 or body ~= expected then
      wrong = wrong + 1
   end
end

function done(summary, latency, requests)
   local wrong_in_all = 0
   for _, thread in ipairs(threads) do
      wrong_in_all = wrong_in_all + thread:get("wrong")
   end
   local errors = summary.errors
   print(string.format(
      '{"received": %d, "wrong": %d, "errors": %d}',
      summary.requests,
      wrong_in_all + errors.status,
      errors.connect + errors.read + errors.write + errors.timeout
   ))
end
