; test check

// 1e-25 twice is 1e-50, which f32 does not hold, so the factors stay two; e^66 is beyond 1e28.
graph scalars_apart {
  %x = input : f32[3, 8]
  %t = mul %x, 0.01
  %high = add %t, 66.0
  %large = exp %high
  %a = mul %large, 1e-25
  %b = mul %a, 1e-25
  %low = sub %t, 46.0
  %small = exp %low
  %c = div %small, 1e-25
  %d = div %c, 1e-25
  %e = mul %large, 1e-25
  %f = mul %large, %e
  %w = weight : f32[8, 4]
  %p = matmul %small, %w
  %q = mul %p, 1e-25
  %r = div %q, 1e-25
  return %b, %d, %f, %r
}

; expect check
;   %b, %d, %f, %r within 1e-5 of the reference
