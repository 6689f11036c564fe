; test roundtrip
; test eval
; test canonical
; test plan target=x86-64-v4
; test check

// Rotary positions: the angles are computed once each, in the kernel that multiplies.
graph sines {
  %x = input : f32[3, 10]
  %angle = input : f32[3, 1]
  %c = cos %angle
  %s = sin %angle
  %a = mul %x, %c
  %b = mul %x, %s
  %y = sub %a, %b
  %half = cast %x { to = bf16 }
  %sine = sin %half
  %z = cast %sine { to = f32 }
  return %y, %z
}

; expect roundtrip
;   graph sines {
;     %x = input : f32[3, 10]
;     %angle = input : f32[3, 1]
;     %c = cos %angle : f32[3, 1]
;     %s = sin %angle : f32[3, 1]
;     %a = mul %x, %c : f32[3, 10]
;     %b = mul %x, %s : f32[3, 10]
;     %y = sub %a, %b : f32[3, 10]
;     %half = cast %x { to = bf16 } : bf16[3, 10]
;     %sine = sin %half : bf16[3, 10]
;     %z = cast %sine { to = f32 } : f32[3, 10]
;     return %y, %z
;   }

; expect eval
;   126 flops
;   %y : f32[3, 10] = -0.03934 0.19672 1.12130 -0.41311 -0.59016 0.78688 … norm 2.89204
;   %z : f32[3, 10] = -0.03124 0.15561 0.77746 -0.32227 -0.45177 0.58510 … norm 2.56277

; expect canonical
;   graph sines {
;     %x = input : f32[3, 10]
;     %angle = input : f32[3, 1]
;     %c = cos %angle : f32[3, 1]
;     %s = sin %angle : f32[3, 1]
;     %4 = view %c { map = "[3, 10] of 3: i0" } : f32[3, 10]
;     %a = mul %x, %4 : f32[3, 10]
;     %6 = view %s { map = "[3, 10] of 3: i0" } : f32[3, 10]
;     %b = mul %x, %6 : f32[3, 10]
;     %y = sub %a, %b : f32[3, 10]
;     %half = cast %x { to = bf16 } : bf16[3, 10]
;     %sine = sin %half : bf16[3, 10]
;     %z = cast %sine { to = f32 } : f32[3, 10]
;     return %y, %z
;   }

; expect plan target=x86-64-v4
;   plan sines {
;     %y = row [3, 10] reading %x, %angle
;     %z = row [1, 30] reading %x
;   }

; expect check
;   %y, %z within 1e-5 of the reference
