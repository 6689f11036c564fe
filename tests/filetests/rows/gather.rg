; test eval
; test plan target=x86-64-v4
; test check

graph gather {
  %table = input : f32[16, 6]
  %index = input : i32[3, 2]
  %rows = gather %table, %index
  %y = mul %rows, 2.0
  return %y
}

; expect eval
;   36 flops
;   %y : f32[3, 2, 6] = 1.06250 0.87500 0.15625 -1.18750 -0.50000 0.21875 … norm 6.21537

; expect plan target=x86-64-v4
;   plan gather {
;     %y = row [1, 36] reading %index, %table
;   }

; expect check
;   %y within 1e-5 of the reference
