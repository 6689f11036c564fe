; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// Squares are products; by a tensor and by other numbers a power is a power.
graph powers {
  %x = input : f32[3, 10]
  %e = input : f32[10]
  %square = pow %x, 2.0
  %cube = pow %x, 3.0
  %size = abs %x
  %root = pow %size, 0.5
  %any = pow %size, %e
  %base = pow 2.0, %x
  return %square, %cube, %root, %any, %base
}

; expect roundtrip
;   graph powers {
;     %x = input : f32[3, 10]
;     %e = input : f32[10]
;     %2 = const { value = 2.0 } : f32[]
;     %square = pow %x, %2 : f32[3, 10]
;     %4 = const { value = 3.0 } : f32[]
;     %cube = pow %x, %4 : f32[3, 10]
;     %size = abs %x : f32[3, 10]
;     %7 = const { value = 0.5 } : f32[]
;     %root = pow %size, %7 : f32[3, 10]
;     %any = pow %size, %e : f32[3, 10]
;     %10 = const { value = 2.0 } : f32[]
;     %base = pow %10, %x : f32[3, 10]
;     return %square, %cube, %root, %any, %base
;   }

; expect eval
;   180 flops
;   %square : f32[3, 10] = 0.00098 0.02441 0.79321 0.10767 0.21973 0.39062 … norm 2.25488
;   %cube : f32[3, 10] = -0.00003 0.00381 0.70646 -0.03533 -0.10300 0.24414 … norm 1.97518
;   %root : f32[3, 10] = 0.17678 0.39528 0.94373 0.57282 0.68465 0.79057 … norm 3.55317
;   %any : f32[3, 10] = 2.95365 1.33649 0.89224 2.15141 1.42642 1.20153 … norm 11.25831
;   %base : f32[3, 10] = 0.97857 1.11439 1.85398 0.79657 0.72259 1.54221 … norm 6.70517

; expect optimize target=x86-64-v4
;   ; %square: 6 e-nodes, 2 iterations, saturated; square
;   ; %cube: 5 e-nodes, 1 iteration, saturated; unchanged
;   ; %size: 2 e-nodes, 1 iteration, saturated; unchanged
;   ; %root: 5 e-nodes, 1 iteration, saturated; unchanged
;   ; %any: 5 e-nodes, 2 iterations, saturated; unchanged
;   ; %base: 5 e-nodes, 1 iteration, saturated; unchanged
;   graph powers {
;     %x = input : f32[3, 10]
;     %e = input : f32[10]
;     %square = mul %x, %x : f32[3, 10]
;     %3 = const { value = 3.0 } : f32[3, 10]
;     %cube = pow %x, %3 : f32[3, 10]
;     %size = abs %x : f32[3, 10]
;     %6 = const { value = 0.5 } : f32[3, 10]
;     %root = pow %size, %6 : f32[3, 10]
;     %8 = view %e { map = "[3, 10] of 10: i1" } : f32[3, 10]
;     %any = pow %size, %8 : f32[3, 10]
;     %10 = const { value = 2.0 } : f32[3, 10]
;     %base = pow %10, %x : f32[3, 10]
;     return %square, %cube, %root, %any, %base
;   }

; expect plan target=x86-64-v4
;   plan powers {
;     %square = row [1, 30] reading %x
;     %cube = row [1, 30] reading %x
;     %root = row [1, 30] reading %x
;     %any = row [1, 30] reading %x, %e
;     %base = row [1, 30] reading %x
;   }

; expect check
;   %square, %cube, %root, %any, %base within 1e-5 of the reference
