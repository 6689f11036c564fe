; test eval
; test plan target=x86-64-v4
; test check

// Two products read one operand; two outputs.
graph shared_operand {
  %x = input : f32[6, 12]
  %wa = weight : f32[12, 5]
  %wb = weight : f32[12, 7]
  %a = matmul %x, %wa
  %b = matmul %x, %wb
  return %a, %b
}

; expect eval
;   1728 flops
;   %a : f32[6, 5] = 0.06519 0.89722 0.77368 1.51855 -0.98315 2.23608 … norm 7.38270
;   %b : f32[6, 7] = 0.87598 -0.79346 -1.27856 -2.17822 -0.48608 -0.83032 … norm 7.43921

; expect plan target=x86-64-v4
;   plan shared_operand {
;     %a = matmul [1, 6, 12] by [12, 5], constant %wa reading %x
;     %b = matmul [1, 6, 12] by [12, 7], constant %wb reading %x
;   }

; expect check
;   %a, %b within 1e-5 of the reference
