; test roundtrip
; test eval
; test canonical
; test check

// A selection per head; -inf would choose the second branch alone.
graph mix {
  %a = input : f32[3, 4, 5]
  %b = input : f32[4, 5]
  %selection = weight : f32[3, 1, 1]
  %y = mix %a, %b, %selection
  return %y
}

; expect roundtrip
;   graph mix {
;     %a = input : f32[3, 4, 5]
;     %b = input : f32[4, 5]
;     %selection = weight : f32[3, 1, 1]
;     %y = mix %a, %b, %selection : f32[3, 4, 5]
;     return %y
;   }

; expect eval
;   186 flops
;   %y : f32[3, 4, 5] = -0.15331 0.02063 0.93131 -0.48409 -0.46875 0.18424 … norm 2.82755

; expect canonical
;   graph mix {
;     %a = input : f32[3, 4, 5]
;     %b = input : f32[4, 5]
;     %selection = weight : f32[3, 1, 1]
;     %3 = sigmoid %selection : f32[3, 1, 1]
;     %4 = const { value = 1.0 } : f32[3, 1, 1]
;     %5 = sub %4, %3 : f32[3, 1, 1]
;     %6 = view %3 { map = "[3, 4, 5] of 3: i0" } : f32[3, 4, 5]
;     %7 = mul %a, %6 : f32[3, 4, 5]
;     %8 = view %b { map = "[3, 4, 5] of 20: 5*i1 + i2" } : f32[3, 4, 5]
;     %9 = view %5 { map = "[3, 4, 5] of 3: i0" } : f32[3, 4, 5]
;     %10 = mul %8, %9 : f32[3, 4, 5]
;     %y = add %7, %10 : f32[3, 4, 5]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
