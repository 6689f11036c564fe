; test raise sites=0
; test check

// The guard looks at exponentials that are not normalised: their sum takes its place.
graph guard_of_exponentials {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %keep = input : bool[2, 1, 1, 6]
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %m = select %keep, %u, -inf
  %w = exp %m
  %same = eq %w, %w
  %nan = not %same
  %z = select %nan, 0.0, %w
  %y = matmul %z, %v
  return %y
}

; expect raise sites=0
;   0 of 0 sites are kernels; 0 apart from their scores, 1 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
