; test eval
; test plan target=x86-64-v4
; test check

// An output that depends on no input.
graph weights_as_output {
  %x = input : f32[3]
  %w = weight : f32[3]
  %t = tanh %w
  %y = add %x, 1.0
  return %y, %t
}

; expect eval
;   6 flops
;   %y : f32[3] = 0.96875 1.15625 1.89062 … norm 2.41865
;   %t : f32[3] = -0.30271 -0.15499 0.75495 … norm 0.82802

; expect plan target=x86-64-v4
;   plan weights_as_output {
;     %y = row [1, 3] reading %x
;     %t.copy = row [1, 3] reading %t
;   }

; expect check
;   %y, %t within 1e-5 of the reference
