; test eval
; test schedule target=x86-64-v4
; test schedule target=x86-64-v2
; test check

// Far more to sum than to write.
graph long_reduction {
  %x = input : f32[2, 3000]
  %w = weight : f32[3000, 3]
  %y = matmul %x, %w
  return %y
}

; expect eval
;   36000 flops
;   %y : f32[2, 3] = -6.10498 -5.40894 -23.07324 -36.54395 0.28833 -2.74829 … norm 44.06811

; expect schedule target=x86-64-v4
;   schedule long_reduction for x86-64-v4 {
;     %y matmul rows 1 panels 1 depth 3000 mr 1 nv 1
;   }

; expect schedule target=x86-64-v2
;   schedule long_reduction for x86-64-v2 {
;     %y matmul rows 1 panels 1 depth 3000 mr 1 nv 1
;   }

; expect check
;   %y within 1e-5 of the reference
