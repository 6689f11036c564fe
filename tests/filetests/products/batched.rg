; test eval
; test plan target=x86-64-v4
; test schedule target=x86-64-v4
; test check

// Leading axes broadcast; the right operand is computed, so the kernel packs it.
graph batched {
  %a = input : f32[3, 1, 5, 7]
  %b = input : f32[1, 2, 7, 9]
  %y = matmul %a, %b
  return %y
}

; expect eval
;   3780 flops
;   %y : f32[3, 2, 5, 9] = 0.33960 -0.52173 0.94971 -0.41772 0.77246 -1.37720 … norm 16.38986

; expect plan target=x86-64-v4
;   plan batched {
;     %y = matmul [6, 5, 7] by [7, 9] reading %a, %b
;   }

; expect schedule target=x86-64-v4
;   schedule batched for x86-64-v4 {
;     %y matmul rows 5 panels 1 depth 7 mr 5 nv 1
;   }

; expect check
;   %y within 1e-5 of the reference
