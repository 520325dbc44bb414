-- The other queues, behind our own in `places`. These are statements: the columns of `others` are the caller's.
for i = 1, others_count do
  places[i + 1] = {ARGV[other_mode + i], KEYS[other_matched + i], KEYS[other_queue + i]}
end
