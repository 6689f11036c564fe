; test eval
; test check

// Queries 2 and 3 see no key at all; they get zeros, not NaN.
graph blind_rows {
  %q = input : f32[4, 8]
  %k = input : f32[5, 8]
  %v = input : f32[5, 3]
  %row = iota { axis = 0 } : i32[4, 1]
  %seen = lt %row, 2
  %mask = select %seen, 0.0, -inf
  %s = scores %q, %k
  %u = add %s, %mask
  %y = attend %u, %v { axis = -1 }
  return %y
}

; expect eval
;   560 flops
;   %y : f32[4, 3] = 0.09872 0.07339 -0.28104 0.28094 -0.09602 -0.48617 … norm 0.64701

; expect check
;   %y within 1e-5 of the reference
